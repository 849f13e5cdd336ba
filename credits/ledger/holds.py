"""Credits set aside for work whose cost or success is not known yet."""

from datetime import datetime

from django.conf import settings
from django.db import transaction

from credits.ledger import database
from credits.ledger.errors import HoldClosed, TooManyCredits
from credits.ledger.spending import SpendItem, SpendLimit, SpendResult, take
from credits.models import ApiKey, Organization, Spend, User

HOLD_MAX_SECONDS = 86_400


def hold(
    organization: Organization,
    action: str,
    *,
    quantity: int = 1,
    reference: str = "",
    idempotency_key: str | None = None,
    expires_in_seconds: int | None = None,
    api_key: ApiKey | None = None,
    limit: SpendLimit | None = None,
    now: datetime,
) -> SpendResult:
    """Set aside the credits of a spend for `expires_in_seconds` (1 to 86,400; 900 if None).

    Takes and raises what `spend` does, and ValueError for another time. A hold that nobody finishes
    releases itself.

    >>> ledger.hold(acme, "background.remove", quantity=10, now=now).credits
    10
    """
    seconds = settings.HOLD_DEFAULT_SECONDS if expires_in_seconds is None else expires_in_seconds
    if not 1 <= seconds <= HOLD_MAX_SECONDS:
        raise ValueError(f"A hold lasts 1 to {HOLD_MAX_SECONDS} seconds.")
    return take(
        SpendItem(organization, action, quantity, reference, idempotency_key),
        api_key=api_key,
        limit=limit,
        hold_seconds=seconds,
        now=now,
    )


def capture(hold: Spend, *, credits: int | None = None, now: datetime) -> Spend:
    """Spend a hold: `credits` (1 or more) of it, or all when it is None; the rest goes home.

    Capturing again with the same credits changes nothing more. Raises HoldClosed when it was
    captured otherwise, released or has expired, and TooManyCredits beyond what is set aside.

    >>> ledger.capture(hold, credits=6, now=now).released_credits
    4
    """
    captured = hold.credits if credits is None else credits
    if not 1 <= captured <= hold.credits:
        raise TooManyCredits(hold.credits)
    return _settle(hold, captured, Spend.Status.SPENT, now)


def release(hold: Spend, *, actor: User | None = None, reason: str = "", now: datetime) -> Spend:
    """Give all of a hold back; releasing it again changes nothing more.

    Who of staff releases it, and why, is kept with its entries. Raises HoldClosed when it was
    captured.

    >>> ledger.release(hold, now=now).status
    'released'
    """
    return _settle(hold, 0, Spend.Status.RELEASED, now, actor, reason)


def _settle(
    hold: Spend,
    captured: int,
    status: Spend.Status,
    now: datetime,
    actor: User | None = None,
    reason: str = "",
) -> Spend:
    if hold.hold_expires_at is None:
        raise ValueError("This spend was never a hold.")
    with transaction.atomic():
        moment = database.open_wallet(hold.organization_id, now)
        hold.refresh_from_db()
        if hold.status == Spend.Status.HELD:
            database.value(
                "ledger_settle_hold",
                spend=hold.pk,
                captured=captured,
                status=status.value,
                now=moment,
                actor=actor.pk if actor else None,
                reason=reason,
            )
            hold.refresh_from_db()
    # An expired hold has been released already, which is all that `release` asks for.
    if hold.credits - hold.released_credits != captured:
        raise HoldClosed(hold.status if hold.status != Spend.Status.SPENT else "captured")
    return hold
