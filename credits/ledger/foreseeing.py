"""What an adjustment would do, before it is made."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q, QuerySet

from credits.ledger import database
from credits.ledger.grants import adjust
from credits.models import Entry, Grant, Organization


@dataclass(frozen=True, slots=True)
class GrantChange:
    """A grant as it will be; `before` is what it holds now, None for the one that is made."""

    grant: Grant
    before: int | None

    @property
    def credits(self) -> int:
        return self.grant.remaining - (self.before or 0)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The grants in burn-down order, with the new one at its place, and what is taken from them."""

    grants: list[GrantChange]
    taking: str

    @property
    def before(self) -> int:
        return sum(change.before or 0 for change in self.grants)

    @property
    def after(self) -> int:
        return sum(change.grant.remaining for change in self.grants)


def foresee_adjustment(
    organization: Organization, credits: int, *, now: datetime, expires_at: datetime | None = None
) -> Foreseen:
    """What `adjust` would do now: it is made and taken back, so that the two cannot differ.

    Raises what `adjust` raises.

    >>> ledger.foresee_adjustment(acme, -20, now=now).after
    30
    """
    adjustment_id = uuid4()
    with transaction.atomic():
        moment = database.open_wallet(organization.pk, now)
        before = {grant.pk: grant.remaining for grant in _usable(organization, moment)}
        adjust(
            organization,
            credits,
            reason="Foreseen",
            actor=None,
            now=moment,
            expires_at=expires_at,
            adjustment_id=adjustment_id,
        )
        made = Entry.objects.filter(adjustment_id=adjustment_id).values_list("grant", flat=True)
        grants = organization.grants.filter(pk__in={*before, *made})
        changes = [GrantChange(grant, before.get(grant.pk)) for grant in grants]
        foreseen = Foreseen(changes, taking(adjustment_id))
        transaction.set_rollback(True)
    return foreseen


def taking(adjustment_id: UUID) -> str:
    """What an adjustment took of which grants, to compare it with what was foreseen.

    A weekly bundle is named by its week, since nobody may have written it down yet.
    """
    entries = Entry.objects.filter(adjustment_id=adjustment_id, credits__lt=0)
    parts = entries.select_related("grant").order_by("seq")
    return " ".join(f"{part.grant.week or part.grant_id}{part.credits:+}" for part in parts)


def _usable(organization: Organization, now: datetime) -> QuerySet[Grant]:
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    return organization.grants.filter(lasting, is_open=True, starts_at__lte=now)
