"""Credits given and taken for a reason other than use."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from credits.ledger import database
from credits.ledger.errors import AlreadyLapsed, IdempotencyConflict, OutOfCredits
from credits.models import Adjustment, BulkAdjustmentRow, Entry, Grant, Organization, User

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
        grant_id = _open_grant(
            organization,
            credits,
            kind=kind,
            now=moment,
            expires_at=expires_at,
            purchase=purchase_id,
            actor=actor.pk if actor else None,
            reason=reason,
            adjustment=adjustment_id,
        )
        return Grant.objects.get(pk=grant_id)


def _open_grant(
    organization: Organization,
    credits: int,
    *,
    kind: Grant.Kind,
    now: datetime,
    expires_at: datetime | None,
    **why: Any,
) -> UUID:
    """A new grant of a wallet that is open at the moment `now`; its id."""
    if expires_at and expires_at <= now:
        raise AlreadyLapsed()
    grant_id: UUID = database.value(
        "ledger_open_grant",
        organization=organization.pk,
        kind=kind.value,
        priority=PRIORITIES[kind],
        amount=credits,
        now=now,
        starts_at=now,
        expires_at=expires_at,
        **why,
    )
    return grant_id


def adjust(
    organization: Organization,
    credits: int,
    *,
    reason: str,
    actor: User | None,
    now: datetime,
    code: str = Adjustment.Reason.OTHER,
    ticket: str = "",
    expires_at: datetime | None = None,
    adjustment_id: UUID | None = None,
    bulk_row: BulkAdjustmentRow | None = None,
) -> bool:
    """Give (`credits` above 0) or take (below 0) credits by a member of staff.

    Up makes a `staff` grant that lapses at `expires_at`, if given; down takes from the open grants
    in burn-down order. `code` is one of `Adjustment.Reason`, `reason` says it in words, which only
    `other` needs, `ticket` names what it is about and `bulk_row` the row of a file that asked for
    it. With an `adjustment_id` a repeat changes nothing more. Returns whether it was made now.

    Raises OutOfCredits when more would be taken than there is, AlreadyLapsed as `grant` does,
    IdempotencyConflict when the id was used for another adjustment, and ValueError for 0 credits,
    an unknown code or no words where they are needed.

    >>> ledger.adjust(acme, -20, reason="Given twice by mistake", actor=staff, now=now)
    True
    """
    adjustment = Adjustment(
        id=adjustment_id or uuid4(),
        organization=organization,
        credits=credits,
        reason=Adjustment.Reason(code),
        text=reason,
        ticket=ticket,
        expires_at=expires_at if credits > 0 else None,
        actor=actor,
        bulk_row=bulk_row,
    )
    if not credits or not adjustment.why.strip():
        raise ValueError("An adjustment needs credits and a reason.")
    with transaction.atomic():
        moment = database.open_wallet(organization.pk, now)
        if adjustment_id and (made := _made(adjustment_id)):
            if made.asked != adjustment.asked:
                raise IdempotencyConflict()
            return False
        adjustment.created_at = moment
        _give(adjustment) if credits > 0 else _take(adjustment)
        adjustment.save(force_insert=True)
        return True


def _made(adjustment_id: UUID) -> Adjustment | None:
    """The adjustment with this id; from its entries where it is older than the table."""
    if made := Adjustment.objects.filter(pk=adjustment_id).first():
        return made
    entries = Entry.objects.filter(adjustment_id=adjustment_id).select_related("grant")
    if not entries:
        return None
    first, credits = entries[0], sum(entry.credits for entry in entries)
    return Adjustment(
        organization_id=first.organization_id,
        credits=credits,
        reason=Adjustment.Reason.OTHER,
        text=first.reason,
        ticket="",
        expires_at=first.grant.expires_at if credits > 0 else None,
    )


def _give(adjustment: Adjustment) -> None:
    _open_grant(
        adjustment.organization,
        adjustment.credits,
        kind=Grant.Kind.STAFF,
        now=adjustment.created_at,
        expires_at=adjustment.expires_at,
        actor=adjustment.actor_id,
        reason=adjustment.why,
        adjustment=adjustment.pk,
    )


def _take(adjustment: Adjustment) -> None:
    organization, credits, now = (
        adjustment.organization,
        -adjustment.credits,
        adjustment.created_at,
    )
    available = database.value("ledger_available", organization=organization.pk, at=now)
    if credits > available:
        raise OutOfCredits(organization, required=credits, available=available, at=now)
    database.value(
        "ledger_draw",
        organization=organization.pk,
        kind=Entry.Kind.ADJUST.value,
        credits=credits,
        now=now,
        actor=adjustment.actor_id,
        reason=adjustment.why,
        adjustment=adjustment.pk,
    )
