"""Checkout Sessions: the page where a customer pays, and what became of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from stripe.params.checkout import SessionCreateParams

from topups.gateway.client import (
    PAGE_SIZE,
    UnknownCustomer,
    UnknownSession,
    client,
    every_page,
    gateway_errors,
    id_of,
    uuid_of,
)

# The states of a Payment Intent whose payment was tried and did not come
# (https://docs.stripe.com/payments/paymentintents/lifecycle).
_FAILED_INTENTS = frozenset({"requires_payment_method", "canceled"})


class PaymentState(StrEnum):
    """How far the payment of a session has come."""

    OPEN = "open"
    EXPIRED = "expired"
    PROCESSING = "processing"  # The customer is done; the bank takes its days.
    FAILED = "failed"
    PAID = "paid"  # Or nothing was to be paid.


@dataclass(frozen=True)
class CheckoutSession:
    """A Checkout Session as far as we need it (https://docs.stripe.com/api/checkout/sessions).

    The amounts count the smallest unit of `currency`: the subtotal is the price, the total what
    the customer pays after discount and tax. `purchase_id` is ours, from the metadata; None when
    the session was not made by us. `payment_intent` is empty while there is none, and for good
    when nothing is to be paid.
    """

    id: str
    url: str | None
    state: PaymentState
    currency: str | None
    amount_subtotal: int | None
    amount_total: int | None
    amount_discount: int
    amount_tax: int
    purchase_id: UUID | None
    payment_intent: str


@dataclass(frozen=True)
class Documents:
    """The addresses where Stripe shows a payment's papers, which it renews now and then."""

    receipt: str | None
    invoice: str | None


def create_checkout_session(
    *,
    purchase_id: UUID,
    customer_id: str,
    product_name: str,
    amount_minor: int,
    currency: str,
    success_url: str,
    cancel_url: str,
) -> CheckoutSession:
    """Make the page where the customer pays; for one purchase and customer once within a day.

    Raises `PaymentServiceUnavailable`, `UnknownCustomer` or another `PaymentServiceRefused`.
    """
    metadata = {"purchase_id": str(purchase_id)}
    params: SessionCreateParams = {
        "mode": "payment",
        "customer": customer_id,
        # Tax ids need the name, and tax the address, on the customer
        # (https://docs.stripe.com/tax/checkout/tax-ids).
        "customer_update": {"name": "auto", "address": "auto"},
        "billing_address_collection": "required",
        "tax_id_collection": {"enabled": True},
        "automatic_tax": {"enabled": settings.STRIPE_AUTOMATIC_TAX},
        "allow_promotion_codes": True,
        # The price is the one we show, in the currency we show.
        "adaptive_pricing": {"enabled": False},
        "invoice_creation": {"enabled": True, "invoice_data": {"metadata": metadata}},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": currency,
                    "unit_amount": amount_minor,
                    "tax_behavior": "exclusive",
                    "product_data": {"name": product_name},
                },
            }
        ],
        "client_reference_id": str(purchase_id),
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata, "description": product_name},
        "success_url": success_url,
        "cancel_url": cancel_url,
    }
    with gateway_errors(missing=UnknownCustomer):
        session = client().v1.checkout.sessions.create(
            params, {"idempotency_key": f"checkout-{purchase_id}-{customer_id}"}
        )
    return checkout_session(session.to_dict())


def retrieve_checkout_session(session_id: str) -> CheckoutSession:
    """Ask Stripe how a session stands.

    Raises `PaymentServiceUnavailable`, `UnknownSession` or another `PaymentServiceRefused`.
    """
    with gateway_errors(missing=UnknownSession):
        session = client().v1.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent"]})
    return checkout_session(session.to_dict())


def session_of_payment(payment_intent: str) -> CheckoutSession | None:
    """The session through which a payment came; None for a payment from elsewhere.

    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    with gateway_errors():
        found = client().v1.checkout.sessions.list(
            {"payment_intent": payment_intent, "expand": ["data.payment_intent"]}
        )
        return next((checkout_session(session.to_dict()) for session in found.data), None)


def list_checkout_sessions(*, since: datetime) -> Iterator[CheckoutSession]:
    """Every session made since then, newest first, page by page.

    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    with gateway_errors():
        page = client().v1.checkout.sessions.list(
            {
                "created": {"gte": int(since.timestamp())},
                "limit": PAGE_SIZE,
                "expand": ["data.payment_intent"],
            }
        )
        for session, _ in every_page(page):
            yield checkout_session(session.to_dict())


def find_documents(session_id: str) -> Documents:
    """Where the receipt and the invoice of a paid session are right now.

    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    with gateway_errors():
        session = client().v1.checkout.sessions.retrieve(
            session_id, {"expand": ["payment_intent.latest_charge", "invoice"]}
        )
    data = session.to_dict()
    charge = (data.get("payment_intent") or {}).get("latest_charge") or {}
    invoice = data.get("invoice") or {}
    return Documents(charge.get("receipt_url"), invoice.get("hosted_invoice_url"))


def checkout_session(data: Mapping[str, Any], event_type: str = "") -> CheckoutSession:
    """A session from Stripe's JSON; `event_type` is that of the event that told it, if any."""
    details = data.get("total_details") or {}
    return CheckoutSession(
        id=data["id"],
        url=data.get("url"),
        state=_state(data, event_type),
        currency=data.get("currency"),
        amount_subtotal=data.get("amount_subtotal"),
        amount_total=data.get("amount_total"),
        amount_discount=details.get("amount_discount") or 0,
        amount_tax=details.get("amount_tax") or 0,
        purchase_id=uuid_of((data.get("metadata") or {}).get("purchase_id")),
        payment_intent=id_of(data.get("payment_intent")),
    )


def _state(data: Mapping[str, Any], event_type: str) -> PaymentState:
    if data["status"] == "expired":
        return PaymentState.EXPIRED
    if data["status"] != "complete":
        return PaymentState.OPEN
    if data["payment_status"] != "unpaid":
        return PaymentState.PAID
    intent = data.get("payment_intent")
    has_failed = isinstance(intent, Mapping) and intent["status"] in _FAILED_INTENTS
    if has_failed or event_type == "checkout.session.async_payment_failed":
        return PaymentState.FAILED
    return PaymentState.PROCESSING
