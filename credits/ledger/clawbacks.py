"""Credits whose money went back: taken back, frozen, and collected elsewhere if staff say so."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from credits.ledger import database
from credits.ledger.errors import TooManyCredits
from credits.ledger.grants import adjust, grant
from credits.models import Clawback, Grant, User


def claw_back(
    purchase_id: UUID,
    *,
    revoke: int,
    freeze: int,
    now: datetime,
    reason: str,
    actor: User | None = None,
) -> Clawback | None:
    """Say how many credits of a purchase's grant lost their money and how many are disputed.

    `revoke` and `freeze` are targets and not steps: 0 or more each, together at most what was
    granted. Credits that are not used are taken back or frozen now, those that come home later as
    they come; lower targets give them back, and what staff collected beyond both comes back as a
    `staff` grant. The outcome does not depend on the order of calls, and a repeat changes
    nothing. Returns None where there is nothing to take and never was.

    Raises ValueError for other targets and Grant.DoesNotExist for a purchase without a grant.

    >>> ledger.claw_back(purchase.id, revoke=500, freeze=0, now=now, reason="Refunded").shortfall
    120
    """
    with transaction.atomic():
        granted = Grant.objects.select_related("organization").get(purchase_id=purchase_id)
        if min(revoke, freeze) < 0 or revoke + freeze > granted.amount:
            raise ValueError(f"Of {granted} cannot be revoked {revoke} and frozen {freeze}.")
        moment = database.open_wallet(granted.organization_id, now)
        clawback = Clawback.objects.filter(grant=granted).first()
        if clawback is None:
            if revoke == freeze == 0:
                return None
            clawback = Clawback.objects.create(grant=granted, updated_at=moment)
        if (too_many := clawback.collected_credits - revoke - freeze) > 0:
            _give_back(granted, too_many, moment, reason, actor)
        database.value(
            "ledger_claw_back",
            grant=granted.pk,
            revoke=revoke,
            freeze=freeze,
            now=moment,
            actor=actor.pk if actor else None,
            reason=reason,
        )
        clawback.refresh_from_db()
        return clawback


def _give_back(
    granted: Grant, credits: int, now: datetime, reason: str, actor: User | None
) -> None:
    """Give credits that were collected from other grants, whose lives may be over by now."""
    kind = Grant.Kind.STAFF
    grant(granted.organization, credits, kind=kind, now=now, actor=actor, reason=reason)


def collect_shortfall(
    purchase_id: UUID,
    credits: int,
    *,
    now: datetime,
    reason: str,
    actor: User,
    adjustment_id: UUID | None = None,
) -> bool:
    """Take `credits` (1 or more) of a purchase's shortfall from the organization's other grants.

    They are taken in burn-down order, as `adjust` takes them, and like there a repeat with the same
    `adjustment_id` changes nothing more. Returns whether it was made now.

    Raises TooManyCredits beyond the shortfall, what `adjust` raises, and Clawback.DoesNotExist for
    a purchase whose money never went back.

    >>> ledger.collect_shortfall(purchase.id, 120, now=now, reason="Agreed by phone", actor=staff)
    True
    """
    if credits < 1:
        raise ValueError("At least 1 credit is collected.")
    with transaction.atomic():
        granted = Grant.objects.select_related("organization").get(purchase_id=purchase_id)
        moment = database.open_wallet(granted.organization_id, now)
        made = adjust(
            granted.organization,
            -credits,
            reason=reason,
            actor=actor,
            now=moment,
            adjustment_id=adjustment_id,
        )
        if made:
            _count_as_collected(granted, credits, moment)
        return made


def _count_as_collected(granted: Grant, credits: int, now: datetime) -> None:
    clawback = Clawback.objects.get(grant=granted)
    if credits > clawback.shortfall:
        raise TooManyCredits(clawback.shortfall)
    clawback.collected_credits += credits
    clawback.updated_at = now
    clawback.save(update_fields=["collected_credits", "updated_at"])
