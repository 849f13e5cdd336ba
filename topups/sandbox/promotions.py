"""Promotion codes: made by us, redeemed on the payment page."""

import re
from datetime import datetime

from django.db import IntegrityError, transaction

from topups.money import format_amount
from topups.sandbox import sessions
from topups.sandbox.errors import Refused
from topups.sandbox.models import PromotionCode, Session
from topups.sandbox.totals import discount, recalculate

_CODE = re.compile(r"[A-Z0-9-]{1,50}")
_INVALID = "This code is invalid."


def create(
    code: str,
    *,
    now: datetime,
    percent_off: int | None = None,
    amount_off: int | None = None,
    currency: str = "",
    minimum_amount: int = 0,
) -> PromotionCode:
    """A code that takes off a percentage (1 to 100) or an amount, in `currency`'s smallest unit.

    `minimum_amount`, in `currency` too, is what an order must come to. Upper and lower case are
    the same. Raises Refused.
    """
    code = code.strip().upper()
    if not _CODE.fullmatch(code):
        raise Refused("A code has up to 50 letters, digits and hyphens.", param="code")
    _check_terms(percent_off, amount_off, currency, minimum_amount)
    try:
        with transaction.atomic():
            return PromotionCode.objects.create(
                code=code,
                percent_off=percent_off,
                amount_off=amount_off,
                currency=currency,
                minimum_amount=minimum_amount,
                created_at=now,
            )
    except IntegrityError as error:
        raise Refused(
            f"An active promotion code with `code: {code}` already exists.",
            code="resource_already_exists",
            param="code",
        ) from error


def _check_terms(
    percent_off: int | None, amount_off: int | None, currency: str, minimum_amount: int
) -> None:
    if (percent_off is None) == (amount_off is None):
        raise Refused("Give either a percentage or an amount to take off.")
    if percent_off is not None and not 1 <= percent_off <= 100:
        raise Refused("A percentage is 1 to 100.", param="percent_off")
    if amount_off is not None and amount_off < 1:
        raise Refused("An amount is at least 1.", param="amount_off")
    if minimum_amount < 0:
        raise Refused("A minimum is at least 0.", param="minimum_amount")
    if (amount_off is not None or minimum_amount) and not currency:
        raise Refused("Amounts need a currency.", param="currency")


@transaction.atomic
def redeem(session_id: str, code: str, *, now: datetime) -> Session:
    """Take a code's discount off an open session. Raises Refused, for the customer to read."""
    session = sessions.find_open(session_id, now=now)
    if not session.allow_promotion_codes:
        raise Refused(_INVALID)
    found = PromotionCode.objects.filter(code=code.strip().upper().replace("\0", "")).first()
    if found is None or not found.is_active:
        raise Refused(_INVALID)
    _check_fits(found, session)
    session.promotion_code = found
    recalculate(session)
    sessions.check_amount(session)
    session.save()
    return session


def _check_fits(code: PromotionCode, session: Session) -> None:
    if code.currency and code.currency != session.currency:
        raise Refused(_INVALID)
    if session.amount_subtotal < code.minimum_amount:
        minimum = format_amount(code.minimum_amount, code.currency)
        raise Refused(f"This code is for orders from {minimum} on.")
    if not discount(code, session.amount_subtotal):
        raise Refused("This code takes nothing off.")


@transaction.atomic
def remove(session_id: str, *, now: datetime) -> Session:
    """Forget the code of an open session."""
    session = sessions.find_open(session_id, now=now)
    session.promotion_code = None
    recalculate(session)
    session.save()
    return session
