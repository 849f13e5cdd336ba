"""What the tests of the sandbox share: Stripe's own client, and sales made with it."""

from typing import Any

import pytest
import stripe
from django.utils import timezone

from topups.sandbox import sessions
from topups.sandbox.models import Event, Payment

GOOD_CARD = "4242 4242 4242 4242"


class Shop:
    """Stripe's own client against the sandbox, and the short words of a sale."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self.v1 = client.v1

    def session(self, amount: int = 1000, **changes: Any) -> stripe.checkout.Session:
        """A new session; `price` changes its price data."""
        price = {
            "currency": "usd",
            "unit_amount": amount,
            "product_data": {"name": "500 credits"},
            **changes.pop("price", {}),
        }
        params = {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": price}],
            "success_url": "https://shop.test/{CHECKOUT_SESSION_ID}",
            **changes,
        }
        return self.v1.checkout.sessions.create(params)

    def sale(self, amount: int = 1000, **changes: Any) -> Payment:
        """A session paid by card."""
        session = self.session(amount, **changes)
        return sessions.pay(session.id, GOOD_CARD, now=timezone.now()).payment

    def debit(self, amount: int = 1000, **changes: Any) -> Payment:
        """A session whose bank debit is under way."""
        session = self.session(amount, **changes)
        return sessions.pay_by_bank(session.id, now=timezone.now()).payment

    def charge(self, payment: Payment) -> stripe.Charge:
        return self.v1.payment_intents.retrieve(
            payment.pk, {"expand": ["latest_charge"]}
        ).latest_charge


def told() -> list[str]:
    """The types of the events so far, in order of the alphabet, as the network mixes them up."""
    return sorted(Event.objects.values_list("payload__type", flat=True))


def told_of(event_type: str) -> dict[str, Any]:
    """What the newest event of a type is about."""
    found = Event.objects.filter(payload__type=event_type).latest("created_at")
    return found.payload["data"]["object"]


def refusal(call, *args, **kwargs) -> stripe.InvalidRequestError:
    """Why Stripe's client says that a call was refused."""
    with pytest.raises(stripe.InvalidRequestError) as refused:
        call(*args, **kwargs)
    return refused.value
