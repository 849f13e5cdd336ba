"""Credits given and taken for a reason other than use."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from credits.ledger import database
from credits.ledger.errors import AlreadyLapsed, IdempotencyConflict, OutOfCredits
from credits.models import Entry, Grant, Organization, User

# Free credits are spent before bought ones: the weekly bundle, given in sql/, has 10.
PRIORITIES = {Grant.Kind.STAFF: 20, Grant.Kind.TOP_UP: 30}


def grant(
    organization: Organization,
    credits: int,
    *,
    kind: Grant.Kind,
    now: datetime,
    purchase_id: UUID | None = None,
    expires_at: datetime | None = None,
    actor: User | None = None,
    reason: str = "",
    adjustment_id: UUID | None = None,
) -> Grant:
    """Give `credits` (1 or more) as one grant of kind `top_up` or `staff`.

    A `top_up` names its purchase and is given once for it: a repeat returns the first grant. The
    database refuses fewer than 1 credits (IntegrityError). Raises AlreadyLapsed for an expiry that
    is past.

    >>> ledger.grant(acme, 500, kind=Grant.Kind.TOP_UP, purchase_id=purchase.id, now=now)
    <Grant: Top-up of 500>
    """
    with transaction.atomic():
        moment = database.open_wallet(organization.pk, now)
        if purchase_id and (first := Grant.objects.filter(purchase_id=purchase_id).first()):
            return first
        if expires_at and expires_at <= moment:
            raise AlreadyLapsed()
        grant_id = database.value(
            "ledger_open_grant",
            organization=organization.pk,
            kind=kind.value,
            priority=PRIORITIES[kind],
            amount=credits,
            now=moment,
            starts_at=moment,
            expires_at=expires_at,
            purchase=purchase_id,
            actor=actor.pk if actor else None,
            reason=reason,
            adjustment=adjustment_id,
        )
        return Grant.objects.get(pk=grant_id)


def adjust(
    organization: Organization,
    credits: int,
    *,
    reason: str,
    actor: User,
    now: datetime,
    expires_at: datetime | None = None,
    adjustment_id: UUID | None = None,
) -> bool:
    """Give (`credits` above 0) or take (below 0) credits by a member of staff.

    Up makes a `staff` grant that lapses at `expires_at`, if given; down takes from the open grants
    in burn-down order. With an `adjustment_id` a repeat changes nothing more. Returns whether it
    was made now. Raises OutOfCredits when more would be taken than there is, AlreadyLapsed as
    `grant` does, IdempotencyConflict
    when the id was used for another adjustment, and ValueError for 0 credits or an empty reason.

    >>> ledger.adjust(acme, -20, reason="Given twice by mistake", actor=staff, now=now)
    True
    """
    if not credits or not reason.strip():
        raise ValueError("An adjustment needs credits and a reason.")
    with transaction.atomic():
        moment = database.open_wallet(organization.pk, now)
        if adjustment_id and (made := _made(adjustment_id)):
            if made != (organization.pk, credits, reason, expires_at if credits > 0 else None):
                raise IdempotencyConflict()
            return False
        if credits > 0:
            grant(
                organization,
                credits,
                kind=Grant.Kind.STAFF,
                now=moment,
                expires_at=expires_at,
                actor=actor,
                reason=reason,
                adjustment_id=adjustment_id,
            )
        else:
            _take(organization, -credits, moment, actor, reason, adjustment_id)
        return True


def _made(adjustment_id: UUID) -> tuple[int, int, str, datetime | None] | None:
    """The organization, credits, reason and expiry of the adjustment with this id."""
    entries = Entry.objects.filter(adjustment_id=adjustment_id).select_related("grant")
    if not entries:
        return None
    first, credits = entries[0], sum(entry.credits for entry in entries)
    expires_at = first.grant.expires_at if credits > 0 else None
    return first.organization_id, credits, first.reason, expires_at


def _take(
    organization: Organization,
    credits: int,
    now: datetime,
    actor: User,
    reason: str,
    adjustment_id: UUID | None,
) -> None:
    available = database.value("ledger_available", organization=organization.pk, at=now)
    if credits > available:
        raise OutOfCredits(organization, required=credits, available=available, at=now)
    database.value(
        "ledger_draw",
        organization=organization.pk,
        kind=Entry.Kind.ADJUST.value,
        credits=credits,
        now=now,
        actor=actor.pk,
        reason=reason,
        adjustment=adjustment_id,
    )
