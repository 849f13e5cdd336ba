"""One grant taken back by staff."""

from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction

from credits.ledger import database
from credits.ledger.errors import GrantEmpty, IdempotencyConflict
from credits.models import Adjustment, Entry, Grant, User


def revoke_grant(
    grant: Grant,
    *,
    reason: str,
    actor: User,
    now: datetime,
    adjustment_id: UUID | None = None,
) -> bool:
    """Take all that remains of one grant, of any kind, out of it.

    It is an adjustment: what was spent of the grant stays spent, and what comes home later stays
    in it. No money goes back and no clawback is made. With an `adjustment_id` a repeat changes
    nothing more. Returns whether it was made now. Raises GrantEmpty when nothing remains,
    IdempotencyConflict when the id was used for another adjustment, and ValueError for an empty
    reason.

    >>> ledger.revoke_grant(grant, reason="Given to the wrong Acme", actor=staff, now=now)
    True
    """
    if not reason.strip():
        raise ValueError("A revocation needs a reason.")
    with transaction.atomic():
        moment = database.open_wallet(grant.organization_id, now)
        if adjustment_id and _made(grant, reason, adjustment_id):
            return False
        grant.refresh_from_db()
        if not grant.remaining:
            raise GrantEmpty()
        adjustment = Adjustment.objects.create(
            id=adjustment_id or uuid4(),
            organization_id=grant.organization_id,
            credits=-grant.remaining,
            reason=Adjustment.Reason.OTHER,
            text=reason,
            actor=actor,
            created_at=moment,
        )
        database.value(
            "ledger_post",
            organization=grant.organization_id,
            grant=grant.pk,
            kind=Entry.Kind.ADJUST.value,
            credits=adjustment.credits,
            now=moment,
            actor=actor.pk,
            reason=reason,
            adjustment=adjustment.pk,
        )
        grant.refresh_from_db()
        return True


def _made(grant: Grant, reason: str, adjustment_id: UUID) -> bool:
    entries = Entry.objects.filter(adjustment_id=adjustment_id)
    made = [(entry.grant_id, entry.reason, entry.credits < 0) for entry in entries]
    if made and made != [(grant.pk, reason, True)]:
        raise IdempotencyConflict()
    return bool(made)
