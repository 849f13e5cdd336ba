"""What happens to Checkout Sessions."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from topups.sandbox import events
from topups.sandbox.models import Session, new_id
from topups.sandbox.params import InvalidParams

LIFETIME = timedelta(hours=24)
# Stripe's least charge in US dollars (https://docs.stripe.com/currencies).
MIN_AMOUNT_MINOR = 50

# Stripe's test cards (https://docs.stripe.com/testing), with what the bank says to each.
TEST_CARDS = {
    "4242 4242 4242 4242": None,
    "4000 0000 0000 0002": "Your card was declined.",
    "4000 0000 0000 9995": "Your card has insufficient funds.",
}


class NotOpen(Exception):
    """The session is complete or expired, so this cannot be done with it."""


class CardDeclined(Exception):
    """The payment failed; the session stays open for another try. The message is for the payer."""


def create(params: dict[str, Any], *, now: datetime) -> Session:
    """Open a session from checked parameters. Raises InvalidParams for too small an amount."""
    (item,) = params["line_items"]
    price = item["price_data"]
    amount_minor = price["unit_amount"] * item["quantity"]
    if amount_minor < MIN_AMOUNT_MINOR:
        raise InvalidParams(
            "The Checkout Session's total amount due must add up to at least "
            f"{MIN_AMOUNT_MINOR} of the smallest unit of {price['currency']}.",
            code="amount_too_small",
            param="line_items",
        )
    return Session.objects.create(
        amount_total=amount_minor,
        currency=price["currency"],
        description=price["product_data"]["name"],
        created_at=now,
        expires_at=now + LIFETIME,
        **{name: params[name] for name in _KEPT_PARAMS},
    )


_KEPT_PARAMS = (
    "customer_email",
    "client_reference_id",
    "metadata",
    "success_url",
    "cancel_url",
)


@transaction.atomic
def find(session_id: str, *, now: datetime) -> Session:
    """The session, locked when in a transaction. Raises Session.DoesNotExist."""
    session = Session.objects.select_for_update().get(pk=session_id)
    if session.status == Session.Status.OPEN and session.expires_at <= now:
        _expire(session, now)
    return session


@transaction.atomic
def expire(session_id: str, *, now: datetime) -> Session:
    """End an open session. Raises NotOpen and Session.DoesNotExist."""
    session = find(session_id, now=now)
    _check_open(session)
    _expire(session, now)
    return session


@transaction.atomic
def pay(session_id: str, card_number: str, *, now: datetime) -> Session:
    """Pay with a test card. Raises CardDeclined, NotOpen and Session.DoesNotExist."""
    session = find(session_id, now=now)
    _check_open(session)
    _charge(card_number)
    session.status = Session.Status.COMPLETE
    session.payment_status = Session.PaymentStatus.PAID
    session.payment_intent = new_id("pi")
    session.save()
    events.emit("checkout.session.completed", as_json(session), now=now)
    return session


def _charge(card_number: str) -> None:
    digits = "".join(card_number.split())
    for number, refusal in TEST_CARDS.items():
        if number.replace(" ", "") == digits:
            if refusal:
                raise CardDeclined(refusal)
            return
    raise CardDeclined("This is not a test card. Use one of the numbers below, never a real card.")


def _expire(session: Session, now: datetime) -> None:
    session.status = Session.Status.EXPIRED
    session.save()
    events.emit("checkout.session.expired", as_json(session), now=now)


def _check_open(session: Session) -> None:
    if session.status != Session.Status.OPEN:
        raise NotOpen(session.status)


def page_url(session: Session) -> str:
    return f"{settings.BASE_URL}{reverse('sandbox-pay', args=[session.pk])}"


def as_json(session: Session) -> dict[str, Any]:
    """The session as Stripe's API shows it."""
    is_open = session.status == Session.Status.OPEN
    return {
        "id": session.pk,
        "object": "checkout.session",
        "amount_subtotal": session.amount_total,
        "amount_total": session.amount_total,
        "cancel_url": session.cancel_url or None,
        "client_reference_id": session.client_reference_id or None,
        "created": int(session.created_at.timestamp()),
        "currency": session.currency,
        "customer": None,
        "customer_email": session.customer_email or None,
        "expires_at": int(session.expires_at.timestamp()),
        "livemode": False,
        "metadata": session.metadata,
        "mode": "payment",
        "payment_intent": session.payment_intent or None,
        "payment_method_types": ["card"],
        "payment_status": session.payment_status,
        "status": session.status,
        "success_url": session.success_url,
        "ui_mode": "hosted_page",
        "url": page_url(session) if is_open else None,
    }
