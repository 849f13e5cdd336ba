"""Giving money back: the form, the page that says what will happen, and what became of it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from credits.admin.asking import ask_twice, reason_field
from credits.admin.base import ModelAdmin, StaffRequest, change_url, one_time_id
from credits.counting import counted
from topups import fulfillment, refunds
from topups.models import PaymentRefund, Purchase
from topups.money import format_amount, parse_amount, plain_amount


class UsedBefore(Exception):
    """The form's one-time id belongs to another refund."""


class RefundForm(forms.Form):
    """How much to give back and why; `amount` is written as money and cleaned to minor units."""

    amount = forms.CharField(
        max_length=20,
        widget=UnfoldAdminTextInputWidget({"autofocus": True, "inputmode": "decimal"}),
    )
    reason = reason_field(PaymentRefund._meta.get_field("reason").max_length)
    request_id = one_time_id()

    def __init__(self, *args: Any, purchase: Purchase, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.purchase = purchase
        left_minor = refunds.refundable_minor(purchase)
        self.fields["amount"].initial = plain_amount(left_minor, purchase.currency)
        self.fields[
            "amount"
        ].help_text = f"In {purchase.currency.upper()}, at most {_money(left_minor, purchase)}."

    def clean_amount(self) -> int:
        try:
            amount_minor = parse_amount(self.cleaned_data["amount"], self.purchase.currency)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        if amount_minor == 0:
            raise forms.ValidationError("Write how much to give back; 0 does nothing.")
        return amount_minor


def why_not_refundable(purchase: Purchase) -> str | None:
    """Why a purchase has nothing to give back; None when it has."""
    if refunds.refundable_minor(purchase):
        return None
    if not purchase.is_paid:
        return "This purchase is not paid, so there is nothing to give back."
    if not purchase.paid_minor:
        return "This purchase was free, so there is nothing to give back."
    return "All that was paid has gone back already, or is requested or disputed."


def refund_view(model_admin: ModelAdmin, request: StaffRequest, purchase: Purchase) -> HttpResponse:
    form = RefundForm(request.POST or None, purchase=purchase)
    if request.method != "POST" and (why_not := why_not_refundable(purchase)):
        messages.warning(request, why_not)
        return HttpResponseRedirect(change_url(purchase))
    return ask_twice(
        model_admin,
        request,
        purchase,
        form,
        title=f"Refund {purchase.organization}",
        text=f"{purchase.organization} paid {purchase.paid} for {counted(purchase.credits)}. "
        "What is given back takes its share of the credits with it.",
        button="Refund",
        foresee=lambda: _foresee(purchase, form),
        do=lambda: _refund(model_admin, request, purchase, form),
    )


def _foresee(purchase: Purchase, form: RefundForm) -> list[str]:
    amount_minor, left_minor = form.cleaned_data["amount"], refunds.refundable_minor(purchase)
    if amount_minor > left_minor:
        form.add_error("amount", why_not_refundable(purchase) or _at_most(left_minor, purchase))
        return []
    amount = _money(amount_minor, purchase)
    return [
        f"{amount} of {purchase.paid} goes back to the buyer, the way it was paid. "
        "This cannot be undone.",
        _foreseen_credits(purchase, refunds.preview(purchase, amount_minor)),
        f"{purchase.buyer.email} gets an email about it.",
    ]


def _foreseen_credits(purchase: Purchase, seen: refunds.Preview) -> str:
    if not seen.credits:
        return "No credits are taken back: this amount bought less than one."
    share = f"{seen.credits:,} of {counted(purchase.credits)} are taken back"
    if not seen.used:
        return f"{share}, all of them unused."
    used = f"{seen.used:,} are gone already and stay as a shortfall on this purchase"
    return f"{share}: {seen.taken:,} now; {used}."


def _refund(
    model_admin: ModelAdmin, request: StaffRequest, purchase: Purchase, form: RefundForm
) -> bool:
    """Decide in one transaction, then have Stripe do it; whether it is decided."""
    try:
        refund, is_new = _decide(model_admin, request, purchase, form.cleaned_data)
    except refunds.NotRefundable as error:
        form.add_error("amount", why_not_refundable(purchase) or str(error))
        return False
    except UsedBefore:
        form.add_error(
            "request_id", "This form was used before, for another refund; open it again."
        )
        return False
    if is_new:
        refund = refunds.send(refund, now=timezone.now())
    tell(request, refund, is_new=is_new)
    return True


@transaction.atomic
def _decide(
    model_admin: ModelAdmin, request: StaffRequest, purchase: Purchase, asked: dict[str, Any]
) -> tuple[PaymentRefund, bool]:
    """The refund that the form asks for, and whether it was decided now."""
    fulfillment.lock(purchase.pk)
    wanted = (purchase.pk, asked["amount"], asked["reason"])
    if known := PaymentRefund.objects.filter(pk=asked["request_id"]).first():
        if (known.purchase_id, known.amount_minor, known.reason) != wanted:
            raise UsedBefore
        return known, False
    refund = refunds.request(
        purchase,
        asked["amount"],
        reason=asked["reason"],
        actor=request.user,
        request_id=asked["request_id"],
        now=timezone.now(),
    )
    model_admin.log_change(request, purchase, f"Refund of {refund.amount}: {refund.reason}")
    return refund, True


def tell(request: StaffRequest, refund: PaymentRefund, *, is_new: bool = True) -> None:
    """Say in a message how a refund stands."""
    if not is_new:
        state = refund.get_status_display().lower()
        told = (
            f"This was done before, so nothing changed: the refund of {refund.amount} is {state}."
        )
        messages.warning(request, told)
    elif refund.is_requested:
        told = (
            f"Stripe could not be asked for the refund of {refund.amount}; it will be tried again "
            f"by itself. Its credits are frozen until then. ({refund.error})"
        )
        messages.warning(request, told)
    elif refund.is_given:
        messages.success(request, f"{refund.amount} is on its way back to the buyer.")
    else:
        told = (
            f"Stripe did not give back {refund.amount}, and its credits stay. "
            f"{refund.error or refund.get_status_display()}"
        )
        messages.error(request, told)


def _at_most(left_minor: int, purchase: Purchase) -> str:
    return f"At most {_money(left_minor, purchase)} can be given back."


def _money(amount_minor: int, purchase: Purchase) -> str:
    return format_amount(amount_minor, purchase.currency)
