"""How a purchase stands, in the words of its customer."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from topups import checkout
from topups.models import PaymentRefund, Purchase
from topups.money import format_amount


@dataclass(frozen=True)
class State:
    """What a customer reads of a purchase; `tone` colors it: success, warning, error or none."""

    text: str
    tone: str = ""
    detail: str = ""


def _unpaid(status: str) -> State:
    nothing_charged = _("Nothing was charged.")
    return {
        Purchase.Status.PENDING: State(_("Waiting for your payment"), "warning"),
        Purchase.Status.EXPIRED: State(_("Not completed"), detail=nothing_charged),
        Purchase.Status.PROCESSING: State(
            _("We’re waiting for your bank"), "warning", _("Your credits come by themselves.")
        ),
        Purchase.Status.FAILED: State(_("Declined by your bank"), "error", nothing_charged),
    }[Purchase.Status(status)]


@dataclass(frozen=True)
class Standing:
    """A purchase as its customer may see it at `now`: nothing of what was used, held or owed."""

    purchase: Purchase
    now: datetime

    @property
    def states(self) -> list[State]:
        """Usually one; several where more than one thing became of a payment."""
        if self.purchase.is_paid:
            paid = State(_("Paid") if self.purchase.paid_minor else _("Free"), "success")
            return [*(self.money_back or [paid]), *self.failed_refunds]
        if self.purchase.status == Purchase.Status.PENDING and not self.can_be_paid:
            # Its checkout is over, and what became of it is still to be heard.
            asking = _("We are asking our payment service.")
            return [State(_("Not confirmed yet"), "warning", asking)]
        return [_unpaid(self.purchase.status)]

    @property
    def money_back(self) -> list[State]:
        """What became of a payment since it arrived: mostly nothing."""
        refunds, disputes = self.purchase.refunds.all(), self.purchase.disputes.all()
        refunded_minor = sum(refund.amount_minor for refund in refunds if refund.is_given)
        returned_minor = sum(dispute.amount_minor for dispute in disputes if dispute.is_lost)
        disputed_minor = sum(dispute.amount_minor for dispute in disputes if dispute.is_open)
        states = []
        if refunded_minor:
            told = self._told(_("Refunded"), _("Refunded {part} of {paid}"), refunded_minor)
            states.append(State(told))
        if returned_minor:
            in_part = _("Returned by your bank {part} of {paid}")
            states.append(State(self._told(_("Returned by your bank"), in_part, returned_minor)))
        if disputed_minor:
            told = self._told(_("Disputed"), _("Disputed {part} of {paid}"), disputed_minor)
            on_hold = _("What it bought and is unused is on hold until it is decided.")
            states.append(State(told, "warning", on_hold))
        return states

    @property
    def failed_refunds(self) -> list[State]:
        """Staff know of it and find another way."""
        return [
            State(
                _("Refund of {amount} failed").format(amount=refund.amount),
                "warning",
                _("We will be in touch about it."),
            )
            for refund in self.purchase.refunds.all()
            if refund.status == PaymentRefund.Status.FAILED
        ]

    def _told(self, whole: str, in_part: str, amount_minor: int) -> str:
        """`whole` where the amount is all that was paid, else `in_part` with both filled in."""
        if amount_minor >= (self.purchase.paid_minor or 0):
            return whole
        part = format_amount(amount_minor, self.purchase.currency)
        return in_part.format(part=part, paid=self.purchase.paid)

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
        if purchase.discount_minor and purchase.tax_minor:
            steps = _("{price} less {discount} discount plus {tax} tax")
        elif purchase.discount_minor:
            steps = _("{price} less {discount} discount")
        else:
            steps = _("{price} plus {tax} tax") if purchase.tax_minor else ""
        return steps.format(price=purchase.price, discount=discount, tax=tax)

    @property
    def has_receipt(self) -> bool:
        """Whether something was charged."""
        return bool(self.purchase.stripe_payment_intent_id)
