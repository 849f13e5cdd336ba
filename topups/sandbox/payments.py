"""What happens to payments. Amounts count the currency's smallest unit."""

from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from topups.sandbox.errors import Missing, Refused
from topups.sandbox.models import Dispute, Payment, Refund, Session
from topups.sandbox.params import merged

# Stripe's test cards (https://docs.stripe.com/testing), with what the bank says to each.
TEST_CARDS = {
    "4242 4242 4242 4242": None,
    "4000 0000 0000 0002": "Your card was declined.",
    "4000 0000 0000 9995": "Your card has insufficient funds.",
}


class CardDeclined(Refused):
    """The payment failed; the session stays open for another try. The message is for the payer."""


def check_card(card_number: str) -> None:
    """Raises CardDeclined unless the bank takes the card."""
    digits = "".join(card_number.split())
    for number, refusal in TEST_CARDS.items():
        if number.replace(" ", "") == digits:
            if refusal:
                raise CardDeclined(refusal)
            return
    raise CardDeclined("This is not a test card. Use one of the numbers below, never a real card.")


def create(session: Session, method: Payment.Method, *, now: datetime) -> Payment:
    """Pay for a session: at once by card, pending by bank debit."""
    asked = session.payment_intent_data
    by_card = method == Payment.Method.CARD
    return Payment.objects.create(
        status=Payment.Status.SUCCEEDED if by_card else Payment.Status.PROCESSING,
        method=method,
        amount=session.amount_total,
        currency=session.currency,
        customer=session.customer,
        description=asked.get("description", ""),
        metadata=merged({}, asked.get("metadata", {})),
        created_at=now,
    )


@transaction.atomic
def find(payment_id: str) -> Payment:
    """The payment, locked when in a transaction. Raises Missing."""
    try:
        return Payment.objects.select_for_update().get(pk=payment_id)
    except Payment.DoesNotExist as error:
        raise Missing("payment_intent", payment_id, param="intent") from error


def refunded(payment: Payment) -> int:
    """What has gone back or is on its way."""
    kept = payment.refunds.exclude(status=Refund.Status.FAILED)
    return kept.aggregate(total=Sum("amount"))["total"] or 0


def withdrawn(payment: Payment) -> int:
    """What disputes have taken and not given back."""
    held = payment.disputes.filter(withdrawn_at__isnull=False, reinstated_at=None)
    return held.aggregate(total=Sum("amount"))["total"] or 0


def left_to_refund(payment: Payment) -> int:
    """What has neither gone back nor been withdrawn by a dispute."""
    return max(payment.amount - refunded(payment) - withdrawn(payment), 0)


def left_to_dispute(payment: Payment) -> int:
    """What no open or lost dispute is about. A bank may dispute what was refunded, too."""
    over = (Dispute.Status.WON, Dispute.Status.WARNING_CLOSED)
    ongoing = payment.disputes.exclude(status__in=over)
    return payment.amount - (ongoing.aggregate(total=Sum("amount"))["total"] or 0)
