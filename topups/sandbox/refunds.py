"""What happens to refunds. Amounts count the currency's smallest unit."""

from datetime import datetime
from typing import Any

from django.db import transaction

from topups.money import format_amount
from topups.sandbox import events, payments, resources
from topups.sandbox.errors import Missing, Refused
from topups.sandbox.models import Payment, Refund

FAILURE_REASON = "expired_or_canceled_card"


@transaction.atomic
def create(
    payment_id: str,
    amount: int | None = None,
    *,
    now: datetime,
    reason: str = "",
    metadata: dict[str, Any] | None = None,
) -> Refund:
    """Pay back an amount, or all that is left: at once to cards, in days to bank accounts.

    Raises Refused when not so much is left, and Missing.
    """
    payment = _find(payment_id)
    refund = Refund.objects.create(
        payment=payment,
        status=_first_status(payment),
        amount=_refundable(payment, amount),
        reason=reason,
        metadata=metadata or {},
        created_at=now,
    )
    events.emit("refund.created", resources.refund(refund), now=now)
    return refund


def _find(payment_id: str) -> Payment:
    try:
        return payments.find(payment_id)
    except Missing as missing:
        raise Missing("payment_intent", payment_id, param="payment_intent") from missing


def _first_status(payment: Payment) -> Refund.Status:
    by_card = payment.method == Payment.Method.CARD
    return Refund.Status.SUCCEEDED if by_card else Refund.Status.PENDING


def _refundable(payment: Payment, amount: int | None) -> int:
    """The amount to refund. Raises Refused, in Stripe's words."""
    if payment.status != Payment.Status.SUCCEEDED:
        raise Refused(
            f"This PaymentIntent ({payment.pk}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
            param="payment_intent",
        )
    charge = f"Charge {payment.charge_id}"
    if payments.refunded(payment) >= payment.amount:
        raise Refused(f"{charge} has already been refunded.", code="charge_already_refunded")
    left = payments.left_to_refund(payment)
    if not left:
        raise Refused(
            f"{charge} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if amount is not None and amount > left:
        raise Refused(
            f"Refund amount ({format_amount(amount, payment.currency)}) is greater than unrefunded "
            f"amount on charge ({format_amount(left, payment.currency)})",
            param="amount",
        )
    return left if amount is None else amount


@transaction.atomic
def find(refund_id: str) -> Refund:
    """The refund; its payment, and with it all its refunds, is locked when in a transaction.

    Raises Missing.
    """
    payment_id = Refund.objects.filter(pk=refund_id).values_list("payment", flat=True).first()
    if payment_id is None:
        raise Missing("refund", refund_id, param="refund")
    payments.find(payment_id)
    return Refund.objects.get(pk=refund_id)


@transaction.atomic
def settle(refund_id: str, *, now: datetime) -> Refund:
    """A pending refund arrives. Raises Refused and Missing."""
    refund = find(refund_id)
    if refund.status != Refund.Status.PENDING:
        raise Refused(f"This refund is {refund.status}, no longer pending.")
    refund.status = Refund.Status.SUCCEEDED
    refund.save()
    events.emit("refund.updated", resources.refund(refund), now=now)
    return refund


@transaction.atomic
def fail(refund_id: str, *, now: datetime, reason: str = FAILURE_REASON) -> Refund:
    """A refund comes back, even days after it succeeded. Raises Refused and Missing."""
    refund = find(refund_id)
    if refund.status == Refund.Status.FAILED:
        raise Refused("This refund has failed already.")
    refund.status = Refund.Status.FAILED
    refund.failure_reason = reason
    refund.save()
    for event_type in ("refund.updated", "refund.failed"):
        events.emit(event_type, resources.refund(refund), now=now)
    return refund
