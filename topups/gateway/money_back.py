"""Refunds and disputes: money that went back, or may."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from stripe.params import RefundCreateParams

from topups.gateway.client import (
    PAGE_SIZE,
    client,
    every_page,
    gateway_errors,
    id_of,
    moment,
    told_at,
    uuid_of,
)


@dataclass(frozen=True)
class Refund:
    """A refund as Stripe told it at `as_of` (https://docs.stripe.com/api/refunds/object).

    `amount_minor` counts the smallest unit of `currency`. `request_id` is ours, from the metadata;
    None for a refund that was not asked for here.
    """

    id: str
    payment_intent: str
    amount_minor: int
    currency: str
    status: str
    failure_reason: str
    request_id: UUID | None
    created_at: datetime
    as_of: datetime


@dataclass(frozen=True)
class Dispute:
    """A dispute as Stripe told it at `as_of` (https://docs.stripe.com/api/disputes/object).

    `is_withdrawn` says whether the money has left our account and not come back.
    """

    id: str
    payment_intent: str
    amount_minor: int
    currency: str
    status: str
    reason: str
    is_withdrawn: bool
    respond_by: datetime | None
    created_at: datetime
    as_of: datetime


def create_refund(*, request_id: UUID, payment_intent: str, amount_minor: int) -> Refund:
    """Give money back; the same request gives it back once.

    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    params: RefundCreateParams = {
        "payment_intent": payment_intent,
        "amount": amount_minor,
        "reason": "requested_by_customer",
        "metadata": {"request_id": str(request_id)},
    }
    with gateway_errors():
        answer = client().v1.refunds.create(params, {"idempotency_key": f"refund-{request_id}"})
    return refund(answer.to_dict(), told_at(answer))


def list_refunds(
    *, since: datetime | None = None, payment_intent: str | None = None
) -> Iterator[Refund]:
    """The refunds made since then, or those of one payment, newest first, page by page.

    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    with gateway_errors():
        page = client().v1.refunds.list(
            {
                "limit": PAGE_SIZE,
                **({"created": {"gte": int(since.timestamp())}} if since else {}),
                **({"payment_intent": payment_intent} if payment_intent else {}),
            }
        )
        for found, as_of in every_page(page):
            yield refund(found.to_dict(), as_of)


def retrieve_dispute(dispute_id: str) -> Dispute:
    """Ask Stripe how a dispute stands.

    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    with gateway_errors():
        answer = client().v1.disputes.retrieve(dispute_id)
    return dispute(answer.to_dict(), told_at(answer))


def list_disputes(*, since: datetime) -> Iterator[Dispute]:
    """The disputes opened since then, newest first, page by page.

    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    with gateway_errors():
        page = client().v1.disputes.list(
            {"created": {"gte": int(since.timestamp())}, "limit": PAGE_SIZE}
        )
        for found, as_of in every_page(page):
            yield dispute(found.to_dict(), as_of)


def refund(data: Mapping[str, Any], as_of: datetime) -> Refund:
    """A refund from Stripe's JSON."""
    return Refund(
        id=data["id"],
        payment_intent=id_of(data.get("payment_intent")),
        amount_minor=data["amount"],
        currency=data["currency"],
        status=data.get("status") or "pending",
        failure_reason=data.get("failure_reason") or "",
        request_id=uuid_of((data.get("metadata") or {}).get("request_id")),
        created_at=moment(data["created"]),
        as_of=as_of,
    )


def dispute(data: Mapping[str, Any], as_of: datetime) -> Dispute:
    """A dispute from Stripe's JSON."""
    respond_by = (data.get("evidence_details") or {}).get("due_by")
    moved = sum(transaction["amount"] for transaction in data.get("balance_transactions") or ())
    return Dispute(
        id=data["id"],
        payment_intent=id_of(data.get("payment_intent")),
        amount_minor=data["amount"],
        currency=data["currency"],
        status=data["status"],
        reason=data.get("reason") or "",
        is_withdrawn=moved < 0,
        respond_by=moment(respond_by) if respond_by else None,
        created_at=moment(data["created"]),
        as_of=as_of,
    )
