"""How a purchase stands, in the words of its customer."""

from dataclasses import dataclass
from datetime import datetime

from topups import checkout
from topups.models import PaymentRefund, Purchase
from topups.money import format_amount


@dataclass(frozen=True)
class State:
    """What a customer reads of a purchase; `tone` colors it: success, warning, error or none."""

    text: str
    tone: str = ""
    detail: str = ""


_UNPAID = {
    Purchase.Status.PENDING: State("Waiting for your payment", "warning"),
    Purchase.Status.EXPIRED: State("Not completed", detail="Nothing was charged."),
    Purchase.Status.PROCESSING: State(
        "We’re waiting for your bank", "warning", "Your credits come by themselves."
    ),
    Purchase.Status.FAILED: State("Declined by your bank", "error", "Nothing was charged."),
}
# Its checkout is over, and what became of it is still to be heard.
_UNCONFIRMED = State("Not confirmed yet", "warning", "We are asking our payment service.")


@dataclass(frozen=True)
class Standing:
    """A purchase as its customer may see it at `now`: nothing of what was used, held or owed."""

    purchase: Purchase
    now: datetime

    @property
    def states(self) -> list[State]:
        """Usually one; several where more than one thing became of a payment."""
        if self.purchase.is_paid:
            paid = State("Paid" if self.purchase.paid_minor else "Free", "success")
            return [*(self.money_back or [paid]), *self.failed_refunds]
        if self.purchase.status == Purchase.Status.PENDING and not self.can_be_paid:
            return [_UNCONFIRMED]
        return [_UNPAID[Purchase.Status(self.purchase.status)]]

    @property
    def money_back(self) -> list[State]:
        """What became of a payment since it arrived: mostly nothing."""
        refunds, disputes = self.purchase.refunds.all(), self.purchase.disputes.all()
        refunded_minor = sum(refund.amount_minor for refund in refunds if refund.is_given)
        returned_minor = sum(dispute.amount_minor for dispute in disputes if dispute.is_lost)
        states = []
        if refunded_minor:
            states.append(State(f"Refunded{self._part(refunded_minor)}"))
        if returned_minor:
            states.append(State(f"Returned by your bank{self._part(returned_minor)}"))
        disputed_minor = sum(dispute.amount_minor for dispute in disputes if dispute.is_open)
        if disputed_minor:
            on_hold = "What it bought and is unused is on hold until it is decided."
            states.append(State(f"Disputed{self._part(disputed_minor)}", "warning", on_hold))
        return states

    @property
    def failed_refunds(self) -> list[State]:
        """Staff know of it and find another way."""
        return [
            State(f"Refund of {refund.amount} failed", "warning", "We will be in touch about it.")
            for refund in self.purchase.refunds.all()
            if refund.status == PaymentRefund.Status.FAILED
        ]

    def _part(self, amount_minor: int) -> str:
        """` $4.00 of $10.00`; nothing where it is all."""
        if amount_minor >= (self.purchase.paid_minor or 0):
            return ""
        return f" {format_amount(amount_minor, self.purchase.currency)} of {self.purchase.paid}"

    @property
    def can_be_paid(self) -> bool:
        """Whether the checkout that was left may still be open."""
        age = self.now - self.purchase.created_at
        return self.purchase.status == Purchase.Status.PENDING and age < checkout.SESSION_LIFETIME

    @property
    def calculation(self) -> str:
        """How the price became what was paid: `$10.00 less $2.00 discount`; else empty."""
        purchase = self.purchase
        discount, tax = (
            format_amount(amount_minor, purchase.currency)
            for amount_minor in (purchase.discount_minor, purchase.tax_minor)
        )
        steps = [
            f" less {discount} discount" if purchase.discount_minor else "",
            f" plus {tax} tax" if purchase.tax_minor else "",
        ]
        return f"{purchase.price}{''.join(steps)}" if any(steps) else ""

    @property
    def has_receipt(self) -> bool:
        """Whether something was charged."""
        return bool(self.purchase.stripe_payment_intent_id)
