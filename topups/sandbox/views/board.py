"""What the control page shows, and which buttons make sense for it."""

from dataclasses import dataclass

from topups.money import format_amount
from topups.sandbox import disputes, payments
from topups.sandbox.models import Dispute, Payment, PromotionCode, Refund, Session


@dataclass(frozen=True)
class Button:
    """One thing that can be done; one that asks opens a small form for amount and reason."""

    action: str
    label: str
    about: str
    max_amount: int = 0
    asks_reason: bool = False


@dataclass(frozen=True)
class Item:
    """A refund or dispute of a sale."""

    pk: str
    title: str
    state: str
    buttons: list[Button]


@dataclass(frozen=True)
class Sale:
    """A session with its payment and all that became of it."""

    session: Session
    amount: str
    state: str
    buttons: list[Button]
    items: list[Item]


def sale(session: Session) -> Sale:
    payment = session.payment
    return Sale(
        session=session,
        amount=format_amount(session.amount_total, session.currency),
        state=_state(session),
        buttons=_buttons(session),
        items=[*_refunds(payment), *_disputes(payment)] if payment else [],
    )


def _state(session: Session) -> str:
    payment = session.payment
    if payment is None:
        free = session.payment_status == Session.PaymentStatus.FREE
        return "Free" if free else session.get_status_display()
    if payment.status != Payment.Status.SUCCEEDED:
        waits = payment.status == Payment.Status.PROCESSING
        return "Waiting for the bank" if waits else "Bank refused"
    if payments.withdrawn(payment):
        return "Disputed"
    refunded = payments.refunded(payment)
    if not refunded:
        return "Paid"
    return "Refunded" if refunded == payment.amount else "Partly refunded"


def _buttons(session: Session) -> list[Button]:
    payment = session.payment
    if session.status == Session.Status.OPEN:
        return [Button("expire-session", "Expire now", session.pk)]
    if payment is None:
        return []
    if payment.status == Payment.Status.PROCESSING:
        return [
            Button("bank-accepts", "Bank says yes", payment.pk),
            Button("bank-refuses", "Bank says no", payment.pk),
        ]
    return _money_back(payment) if payment.status == Payment.Status.SUCCEEDED else []


def _money_back(payment: Payment) -> list[Button]:
    buttons = []
    if left := payments.left_to_refund(payment):
        buttons.append(Button("refund", "Refund", payment.pk, left))
    if left := payments.left_to_dispute(payment):
        buttons += [
            Button("dispute", "Dispute", payment.pk, left, asks_reason=True),
            Button("inquire", "Inquiry", payment.pk, left, asks_reason=True),
            Button("prevent", "Prevented", payment.pk, left, asks_reason=True),
        ]
    return buttons


def _refunds(payment: Payment) -> list[Item]:
    return [
        Item(
            refund.pk,
            f"Refund of {format_amount(refund.amount, payment.currency)}",
            _refund_state(refund),
            _refund_buttons(refund),
        )
        for refund in payment.refunds.order_by("created_at")
    ]


def _refund_state(refund: Refund) -> str:
    if not refund.failure_reason:
        return refund.status
    return f"failed: {refund.failure_reason.replace('_', ' ')}"


def _refund_buttons(refund: Refund) -> list[Button]:
    buttons = []
    if refund.status == Refund.Status.PENDING:
        buttons.append(Button("settle-refund", "Arrives", refund.pk))
    if refund.status != Refund.Status.FAILED:
        buttons.append(Button("fail-refund", "Fails", refund.pk))
    return buttons


_STEPS = (
    (disputes.RESPOND, "respond", "Submit evidence"),
    (disputes.ESCALATE, "escalate", "Escalate"),
    (disputes.WIN, "win", "Win"),
    (disputes.LOSE, "lose", "Lose"),
    (disputes.APPEAL, "appeal", "Appeal"),
)


def _disputes(payment: Payment) -> list[Item]:
    return [
        Item(
            dispute.pk,
            f"Dispute of {format_amount(dispute.amount, payment.currency)}: "
            f"{dispute.reason.replace('_', ' ')}",
            dispute.get_status_display().lower(),
            [
                Button(action, label, dispute.pk)
                for steps, action, label in _STEPS
                if Dispute.Status(dispute.status) in steps
            ],
        )
        for dispute in payment.disputes.order_by("created_at")
    ]


def terms(code: PromotionCode) -> str:
    """What a promotion code takes off, and from when on."""
    if code.percent_off is not None:
        off = f"{code.percent_off}\N{NO-BREAK SPACE}% off"
    else:
        off = f"{format_amount(code.amount_off or 0, code.currency)} off"
    if not code.minimum_amount:
        return off
    return f"{off} from {format_amount(code.minimum_amount, code.currency)} on"
