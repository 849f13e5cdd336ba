"""Our side of Stripe: the only module that knows the SDK.

It returns plain, typed data, and turns the SDK's errors into its own. Never call it inside a
transaction: a slow network would hold the locks.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import stripe
from django.conf import settings
from stripe.params.checkout import SessionCreateParams

# Usage telemetry would write an id into the home folder and report on our requests.
stripe.enable_telemetry = False

MAX_NETWORK_RETRIES = 2
WEBHOOK_TOLERANCE_SECONDS = 300


class GatewayError(Exception):
    """Stripe did not do what we asked."""


class PaymentServiceUnavailable(GatewayError):
    """Stripe cannot be reached or is failing; the same request may work later."""


class PaymentServiceRefused(GatewayError):
    """Stripe understood the request and refuses it; repeating it will not help."""


class InvalidWebhook(Exception):
    """A delivery that is not to be believed; its message is one of the few reasons below."""

    WRONG_SIGNATURE = "The signature is missing or wrong."
    OLD = "The signature is too old."
    NOT_AN_EVENT = "The signed body is not an event."


@dataclass(frozen=True)
class CheckoutSession:
    """A Checkout Session as far as we need it (https://docs.stripe.com/api/checkout/sessions).

    `status` is open, complete or expired; `payment_status` is paid, unpaid or no_payment_required.
    `amount_total` counts the smallest unit of `currency`. `purchase_id` is ours, from the
    metadata; None when the session was not made by us.
    """

    id: str
    url: str | None
    status: str
    payment_status: str
    amount_total: int | None
    currency: str | None
    purchase_id: UUID | None
    payment_intent: str

    @property
    def is_paid(self) -> bool:
        return self.payment_status == "paid"

    @property
    def is_expired(self) -> bool:
        return self.status == "expired"


@dataclass(frozen=True)
class WebhookEvent:
    """A verified event; `payload` is the whole of it as plain JSON data."""

    id: str
    type: str
    payload: dict[str, Any]


def create_checkout_session(
    *,
    purchase_id: UUID,
    product_name: str,
    amount_minor: int,
    currency: str,
    customer_email: str,
    success_url: str,
    cancel_url: str,
) -> CheckoutSession:
    """Make the page where the customer pays; the same purchase always gets the same one.

    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    params: SessionCreateParams = {
        "mode": "payment",
        # Cards tell at once whether they pay; methods that take days are not offered.
        "allowed_payment_method_types": ["card"],
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": currency,
                    "unit_amount": amount_minor,
                    "product_data": {"name": product_name},
                },
            }
        ],
        "customer_email": customer_email,
        "client_reference_id": str(purchase_id),
        "metadata": {"purchase_id": str(purchase_id)},
        "success_url": success_url,
        "cancel_url": cancel_url,
    }
    with _gateway_errors():
        session = _client().v1.checkout.sessions.create(
            params, {"idempotency_key": str(purchase_id)}
        )
    return _checkout_session(session.to_dict())


def retrieve_checkout_session(session_id: str) -> CheckoutSession:
    """Ask Stripe how a session stands.

    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    with _gateway_errors():
        return _checkout_session(_client().v1.checkout.sessions.retrieve(session_id).to_dict())


def expire_checkout_session(session_id: str) -> CheckoutSession:
    """End an open session, so that it cannot be paid any more.

    Raises `PaymentServiceUnavailable`, or `PaymentServiceRefused` when it is not open.
    """
    with _gateway_errors():
        return _checkout_session(_client().v1.checkout.sessions.expire(session_id).to_dict())


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
        return WebhookEvent(id=event["id"], type=event["type"], payload=event)
    except stripe.SignatureVerificationError as error:
        raise InvalidWebhook(InvalidWebhook.OLD) from error
    except (ValueError, KeyError, AttributeError) as error:
        raise InvalidWebhook(InvalidWebhook.NOT_AN_EVENT) from error


def session_of_event(payload: Mapping[str, Any]) -> CheckoutSession:
    """The Checkout Session a `checkout.session.*` event is about, as it was at the event."""
    return _checkout_session(payload["data"]["object"])


def _checkout_session(data: Mapping[str, Any]) -> CheckoutSession:
    return CheckoutSession(
        id=data["id"],
        url=data.get("url"),
        status=data.get("status") or "",
        payment_status=data["payment_status"],
        amount_total=data.get("amount_total"),
        currency=data.get("currency"),
        purchase_id=_purchase_id(data.get("metadata") or {}),
        payment_intent=data.get("payment_intent") or "",
    )


def _purchase_id(metadata: Mapping[str, str]) -> UUID | None:
    try:
        return UUID(metadata["purchase_id"])
    except (KeyError, ValueError):
        return None


def _client() -> stripe.StripeClient:
    return _client_for(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)


@cache
def _client_for(api_key: str, api_base: str) -> stripe.StripeClient:
    """One client per address, so that its connections are used again."""
    return stripe.StripeClient(
        api_key,
        stripe_version=settings.STRIPE_API_VERSION,
        base_addresses={"api": api_base},
        max_network_retries=MAX_NETWORK_RETRIES,
        http_client=stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUT_SECONDS),
    )


@contextmanager
def _gateway_errors() -> Iterator[None]:
    try:
        yield
    except (
        stripe.APIConnectionError,
        stripe.APIError,
        stripe.RateLimitError,
        # Our key is wrong or may not do this: our fault, and not that of what was asked for.
        stripe.AuthenticationError,
        stripe.PermissionError,
    ) as error:
        raise PaymentServiceUnavailable(str(error)) from error
    except stripe.StripeError as error:
        raise PaymentServiceRefused(str(error)) from error
