"""What the customer's bank answers, days later, to a debit."""

from datetime import datetime

from django.db import transaction

from topups.sandbox import events, payments, resources, sessions
from topups.sandbox.errors import Missing, Refused
from topups.sandbox.models import Payment, Session

REFUSAL = "The customer's bank account has insufficient funds."


@transaction.atomic
def accept(payment_id: str, *, now: datetime) -> Payment:
    """The bank pays what it was asked to. Raises Refused and Missing."""
    session, payment = _find_processing(payment_id, now)
    payment.status = Payment.Status.SUCCEEDED
    payment.save()
    session.payment_status = Session.PaymentStatus.PAID
    session.save()
    sessions.issue_invoice(session, now=now)
    _tell("checkout.session.async_payment_succeeded", session, now)
    return payment


@transaction.atomic
def refuse(payment_id: str, *, now: datetime, reason: str = REFUSAL) -> Payment:
    """The bank does not pay what it was asked to. Raises Refused and Missing."""
    session, payment = _find_processing(payment_id, now)
    payment.status = Payment.Status.FAILED
    payment.failure_message = reason
    payment.save()
    _tell("checkout.session.async_payment_failed", session, now)
    return payment


def _find_processing(payment_id: str, now: datetime) -> tuple[Session, Payment]:
    """A payment the bank has not answered, and its session, which is locked first everywhere."""
    session_id = Session.objects.filter(payment=payment_id).values_list("pk", flat=True).first()
    if session_id is None:
        raise Missing("payment_intent", payment_id, param="intent")
    session = sessions.find(session_id, now=now)
    payment = payments.find(payment_id)
    if payment.status != Payment.Status.PROCESSING:
        raise Refused(
            f"The bank has answered already: this payment is {payment.status}.",
            code="payment_intent_unexpected_state",
        )
    return session, payment


def _tell(event_type: str, session: Session, now: datetime) -> None:
    events.emit(event_type, resources.session(session), now=now)
