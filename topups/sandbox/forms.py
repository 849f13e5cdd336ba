"""What people type on the sandbox's pages."""

from typing import Any

from django import forms
from django.http import QueryDict

from topups.sandbox.disputes import REASONS
from topups.sandbox.models import Payment, Session
from topups.sandbox.params.fields import MAX_AMOUNT_MINOR
from topups.sandbox.tax import COUNTRIES
from topups.sandbox.totals import Billing, asks_for_address, prefilled

METHODS = {Payment.Method.CARD: "Card", Payment.Method.SEPA_DEBIT: "Bank debit"}


class PayForm(forms.Form):
    """The payment page: what a session asks of the customer.

    It comes filled in, and a field that is not sent counts as it was filled in, so that a card
    number alone pays: a convenience of the sandbox.
    """

    email = forms.EmailField(max_length=512)
    name = forms.CharField(label="Name", max_length=256)
    country = forms.ChoiceField(choices=list(COUNTRIES.items()))
    postal_code = forms.CharField(label="Postal code", max_length=20)
    tax_id = forms.CharField(label="Tax ID (optional)", max_length=50, required=False)
    total = forms.IntegerField(required=False, widget=forms.HiddenInput)
    method = forms.ChoiceField(label="How to pay", widget=forms.RadioSelect)
    card_number = forms.CharField(max_length=30, required=False)

    def __init__(self, sent: QueryDict | None, *, session: Session) -> None:
        known = prefilled(session)
        self.known = known
        initial = {
            "email": known.email,
            "name": known.name,
            "country": known.country,
            "postal_code": known.postal_code,
            "tax_id": known.tax_id,
            "method": session.payment_method_types[0],
        }
        data = None if sent is None else {**initial, **sent.dict()}
        super().__init__(data, initial={**initial, "total": session.amount_total})
        for name in _unasked(session):
            del self.fields[name]
        offered = [
            (value, METHODS[Payment.Method(value)]) for value in session.payment_method_types
        ]
        self.fields["method"].choices = offered  # type: ignore[attr-defined]

    def billing(self) -> Billing:
        """What the customer said, and what is known of what was not asked."""
        said = self.cleaned_data
        return Billing(
            **{
                name: said.get(name, getattr(self.known, name))
                for name in ("name", "email", "country", "postal_code", "tax_id")
            }
        )


def _unasked(session: Session) -> list[str]:
    """The fields a session has no use for."""
    unasked = []
    if session.customer_email or (session.customer and session.customer.email):
        unasked.append("email")
    if not asks_for_address(session):
        unasked += ["name", "country", "postal_code"]
    if not session.tax_id_collection:
        unasked.append("tax_id")
    return unasked


class ControlForm(forms.Form):
    """What a button of the control page sends: about what, and for some how much and why."""

    id = forms.CharField(max_length=255, required=False)
    amount = forms.IntegerField(
        min_value=1,
        max_value=MAX_AMOUNT_MINOR,
        required=False,
        error_messages={"invalid": "The amount counts the smallest unit, such as 1250 cents."},
    )
    reason = forms.ChoiceField(choices=[(name, name) for name in REASONS], required=False)


class PromotionCodeForm(forms.Form):
    """A new promotion code; promotions.create checks that its terms make sense."""

    code = forms.CharField(max_length=50)
    percent_off = forms.IntegerField(required=False, min_value=1, max_value=100)
    amount_off = forms.IntegerField(required=False, min_value=1, max_value=MAX_AMOUNT_MINOR)
    currency = forms.RegexField("^[a-z]{3}$", required=False)
    minimum_amount = forms.IntegerField(required=False, min_value=0, max_value=MAX_AMOUNT_MINOR)

    def terms(self) -> dict[str, Any]:
        said = self.cleaned_data
        return {**said, "minimum_amount": said["minimum_amount"] or 0}
