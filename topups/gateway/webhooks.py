"""Events as Stripe delivers them, signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import stripe
from django.conf import settings

from topups.gateway.checkout import CheckoutSession, checkout_session
from topups.gateway.client import moment
from topups.gateway.money_back import Dispute, Refund, dispute, refund

WEBHOOK_TOLERANCE_SECONDS = 300
MAX_NAME_LENGTH = 255

# What to subscribe the webhook endpoint to (https://docs.stripe.com/api/events/types).
SESSION_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    }
)
REFUND_EVENTS = frozenset({"refund.created", "refund.updated", "refund.failed"})
DISPUTE_EVENTS = frozenset(
    {
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    }
)

# What an event tells about.
Fact = CheckoutSession | Refund | Dispute


class InvalidWebhook(Exception):
    """A delivery that is not to be believed; its message is one of the few reasons below."""

    WRONG_SIGNATURE = "The signature is missing or wrong."
    OLD = "The signature is too old."
    NOT_AN_EVENT = "The signed body is not an event, or none that can be kept."


@dataclass(frozen=True)
class WebhookEvent:
    """A verified event; `payload` is the whole of it as plain JSON data."""

    id: str
    type: str
    payload: dict[str, Any]


def verify_webhook(body: bytes, signature: str | None) -> WebhookEvent:
    """Check the `Stripe-Signature` of a delivery and return its event.

    Raises `InvalidWebhook` when the signature is wrong or older than
    `WEBHOOK_TOLERANCE_SECONDS` (https://docs.stripe.com/webhooks/signature).
    """
    secret = settings.STRIPE_WEBHOOK_SECRET
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret)
    except (stripe.SignatureVerificationError, ValueError, TypeError) as error:
        # The SDK lets through what a body or header of odd bytes raises inside it.
        raise InvalidWebhook(InvalidWebhook.WRONG_SIGNATURE) from error
    try:
        event = stripe.Webhook.construct_event(
            body, signature, secret, WEBHOOK_TOLERANCE_SECONDS
        ).to_dict()
        if b"\\u0000" in body or max(len(event["id"]), len(event["type"])) > MAX_NAME_LENGTH:
            raise InvalidWebhook(InvalidWebhook.NOT_AN_EVENT)
        return WebhookEvent(id=event["id"], type=event["type"], payload=event)
    except stripe.SignatureVerificationError as error:
        raise InvalidWebhook(InvalidWebhook.OLD) from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise InvalidWebhook(InvalidWebhook.NOT_AN_EVENT) from error


def fact_of(payload: Mapping[str, Any]) -> Fact | None:
    """What an event tells, as it was at the event; None where it tells nothing we need."""
    event_type = payload["type"]
    if event_type in SESSION_EVENTS:
        return checkout_session(payload["data"]["object"], event_type)
    if event_type in REFUND_EVENTS:
        return refund(payload["data"]["object"], moment(payload["created"]))
    if event_type in DISPUTE_EVENTS:
        return dispute(payload["data"]["object"], moment(payload["created"]))
    return None
