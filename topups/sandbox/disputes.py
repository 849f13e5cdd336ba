"""What happens to disputes (https://docs.stripe.com/disputes/how-disputes-work).

An inquiry, Stripe's "warning", asks; a chargeback takes the money until it is won. Amounts count
the currency's smallest unit.
"""

from datetime import datetime, timedelta

from django.db import transaction

from topups.sandbox import events, payments, resources
from topups.sandbox.errors import Missing, Refused
from topups.sandbox.models import Dispute, Payment

Status = Dispute.Status
RESPONSE_TIME = timedelta(days=7)
REASONS = (
    "fraudulent",
    "credit_not_processed",
    "duplicate",
    "general",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
)

# Where each step leads from where; a step is impossible from anywhere else.
RESPOND = {
    Status.WARNING_NEEDS_RESPONSE: Status.WARNING_UNDER_REVIEW,
    Status.NEEDS_RESPONSE: Status.UNDER_REVIEW,
    Status.APPEAL_NEEDS_RESPONSE: Status.APPEAL_UNDER_REVIEW,
}
ESCALATE = {
    Status.WARNING_NEEDS_RESPONSE: Status.NEEDS_RESPONSE,
    Status.WARNING_UNDER_REVIEW: Status.NEEDS_RESPONSE,
}
WIN = {
    Status.WARNING_NEEDS_RESPONSE: Status.WARNING_CLOSED,
    Status.WARNING_UNDER_REVIEW: Status.WARNING_CLOSED,
    Status.NEEDS_RESPONSE: Status.WON,
    Status.UNDER_REVIEW: Status.WON,
    Status.APPEAL_NEEDS_RESPONSE: Status.WON,
    Status.APPEAL_UNDER_REVIEW: Status.WON,
}
LOSE = {
    Status.NEEDS_RESPONSE: Status.LOST,
    Status.UNDER_REVIEW: Status.LOST,
    Status.APPEAL_NEEDS_RESPONSE: Status.LOST,
    Status.APPEAL_UNDER_REVIEW: Status.LOST,
}
APPEAL = {Status.LOST: Status.APPEAL_NEEDS_RESPONSE}


def open_chargeback(
    payment_id: str, amount: int | None = None, *, now: datetime, reason: str = "fraudulent"
) -> Dispute:
    """The bank takes an amount back, or all of it, until the dispute is decided."""
    return _open(payment_id, amount, Status.NEEDS_RESPONSE, reason, now)


def open_inquiry(
    payment_id: str, amount: int | None = None, *, now: datetime, reason: str = "general"
) -> Dispute:
    """The bank asks about a payment and leaves the money where it is."""
    return _open(payment_id, amount, Status.WARNING_NEEDS_RESPONSE, reason, now)


def prevent(
    payment_id: str, amount: int | None = None, *, now: datetime, reason: str = "fraudulent"
) -> Dispute:
    """The payer gets the money back so that no dispute comes of it
    (https://docs.stripe.com/disputes/prevention)."""
    return _open(payment_id, amount, Status.PREVENTED, reason, now)


@transaction.atomic
def _open(
    payment_id: str, amount: int | None, status: Dispute.Status, reason: str, now: datetime
) -> Dispute:
    """Raises Refused for a payment that has not succeeded or an amount beyond it, and Missing."""
    payment = payments.find(payment_id)
    takes_money = status != Status.WARNING_NEEDS_RESPONSE
    dispute = Dispute.objects.create(
        payment=payment,
        status=status,
        amount=_disputable(payment, amount),
        reason=_known(reason),
        due_by=now + RESPONSE_TIME,
        withdrawn_at=now if takes_money else None,
        created_at=now,
    )
    _tell("created", dispute, now)
    if takes_money:
        _tell("funds_withdrawn", dispute, now)
    return dispute


def _disputable(payment: Payment, amount: int | None) -> int:
    left = payments.left_to_dispute(payment)
    if payment.status != Payment.Status.SUCCEEDED:
        raise Refused("Only a payment that has succeeded can be disputed.")
    if not left:
        raise Refused("All of this payment is disputed already.")
    if amount is not None and not 1 <= amount <= left:
        raise Refused(f"The amount must be 1 to {left} of the smallest unit.", param="amount")
    return left if amount is None else amount


def _known(reason: str) -> str:
    if reason not in REASONS:
        raise Refused(f"The reason must be one of {', '.join(REASONS)}.", param="reason")
    return reason


@transaction.atomic
def find(dispute_id: str) -> Dispute:
    """The dispute; its payment, and with it all its disputes, is locked when in a transaction.

    Raises Missing.
    """
    payment_id = Dispute.objects.filter(pk=dispute_id).values_list("payment", flat=True).first()
    if payment_id is None:
        raise Missing("dispute", dispute_id, param="dispute")
    payments.find(payment_id)
    return Dispute.objects.get(pk=dispute_id)


@transaction.atomic
def respond(dispute_id: str, *, now: datetime) -> Dispute:
    """Submit evidence; the bank reviews it. Raises Refused and Missing, as all steps do."""
    dispute = _step(dispute_id, RESPOND)
    dispute.submissions += 1
    return _updated(dispute, now)


@transaction.atomic
def escalate(dispute_id: str, *, now: datetime) -> Dispute:
    """An inquiry becomes a chargeback, which takes the money."""
    dispute = _step(dispute_id, ESCALATE)
    dispute.withdrawn_at = now
    dispute.due_by = now + RESPONSE_TIME
    _updated(dispute, now)
    _tell("funds_withdrawn", dispute, now)
    return dispute


@transaction.atomic
def win(dispute_id: str, *, now: datetime) -> Dispute:
    """The bank decides for us: what it took comes back."""
    dispute = _step(dispute_id, WIN)
    if dispute.withdrawn_at:
        dispute.reinstated_at = now
    _closed(dispute, now)
    if dispute.reinstated_at:
        _tell("funds_reinstated", dispute, now)
    return dispute


@transaction.atomic
def lose(dispute_id: str, *, now: datetime) -> Dispute:
    """The bank decides for the payer: what it took is gone."""
    return _closed(_step(dispute_id, LOSE), now)


@transaction.atomic
def appeal(dispute_id: str, *, now: datetime) -> Dispute:
    """A lost dispute is taken up again."""
    dispute = _step(dispute_id, APPEAL)
    dispute.due_by = now + RESPONSE_TIME
    return _updated(dispute, now)


def _step(dispute_id: str, steps: dict[Dispute.Status, Dispute.Status]) -> Dispute:
    dispute = find(dispute_id)
    status = Status(dispute.status)
    if status not in steps:
        raise Refused(f"This cannot be done with a dispute whose status is {status.value}.")
    dispute.status = steps[status]
    return dispute


def _updated(dispute: Dispute, now: datetime) -> Dispute:
    dispute.save()
    _tell("updated", dispute, now)
    return dispute


def _closed(dispute: Dispute, now: datetime) -> Dispute:
    dispute.save()
    _tell("closed", dispute, now)
    return dispute


def _tell(what: str, dispute: Dispute, now: datetime) -> None:
    events.emit(f"charge.dispute.{what}", resources.dispute(dispute), now=now)
