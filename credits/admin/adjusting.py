"""Adjusting credits by hand: the form and the page behind its own permission."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
)

from credits import ledger
from credits.admin.base import StaffRequest, change_url, one_time_id
from credits.counting import counted
from credits.models import Entry, Organization
from credits.models.organizations import MAX_CREDITS

if TYPE_CHECKING:
    from credits.admin.organizations import OrganizationAdmin


class AdjustForm(forms.Form):
    """How many credits to give or take, and why.

    `adjustment_id` is made with the empty form, so that sending one form twice adjusts once.
    """

    credits = forms.IntegerField(
        min_value=-MAX_CREDITS,
        max_value=MAX_CREDITS,
        widget=UnfoldAdminIntegerFieldWidget({"autofocus": True}),
        help_text="Whole credits: 100 gives a hundred, -100 takes a hundred.",
    )
    reason = forms.CharField(
        max_length=Entry._meta.get_field("reason").max_length,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text="Kept in the ledger and in the log, with your name.",
    )
    expires_at = forms.SplitDateTimeField(
        label="Lapses at",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="UTC, for credits that are given. Left empty, they stay until they are spent.",
    )
    adjustment_id = one_time_id()

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now

    def clean_credits(self) -> int:
        credits: int = self.cleaned_data["credits"]
        if credits == 0:
            raise forms.ValidationError("Write how many credits to give or take; 0 does nothing.")
        return credits

    def clean(self) -> dict[str, Any]:
        expires_at = self.cleaned_data.get("expires_at")
        if expires_at and self.cleaned_data.get("credits", 0) < 0:
            self.add_error("expires_at", "Only credits that are given can lapse; leave it empty.")
        elif expires_at and expires_at <= self.now:
            self.add_error("expires_at", "This moment has passed; choose one to come.")
        return self.cleaned_data


def adjust_view(
    model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
) -> HttpResponse:
    """Show the form; adjust and log when it is right, both or neither."""
    now = timezone.now()
    form = AdjustForm(request.POST or None, now=now)
    if (
        request.method == "POST"
        and form.is_valid()
        and _adjust(model_admin, request, organization, form)
    ):
        return HttpResponseRedirect(change_url(organization))
    return model_admin.page(
        request,
        "admin/credits/organization/adjust.html",
        organization,
        title=f"Adjust credits of {organization}",
        form=form,
        media=model_admin.media + form.media,
        balance=ledger.balance(organization, now=now),
    )


def _adjust(
    model_admin: "OrganizationAdmin",
    request: StaffRequest,
    organization: Organization,
    form: AdjustForm,
) -> bool:
    """Whether it is done; if not, the form says why."""
    asked = form.cleaned_data
    try:
        with transaction.atomic():
            made = ledger.adjust(organization, **asked, actor=request.user, now=form.now)
            if made:
                log = f"Adjusted credits by {asked['credits']:+,}: {asked['reason']}"
                model_admin.log_change(request, organization, log)
    except ledger.OutOfCredits as error:
        form.add_error("credits", f"At most {counted(error.available)} can be taken.")
        return False
    except ledger.AlreadyLapsed:
        form.add_error("expires_at", "The ledger is past this moment already; choose a later one.")
        return False
    except ledger.IdempotencyConflict:
        message = "This form was used before, for another adjustment; open the page again."
        form.add_error("adjustment_id", message)
        return False
    _tell(request, organization, asked["credits"], made, form.now)
    return True


def _tell(
    request: StaffRequest, organization: Organization, credits: int, made: bool, now: datetime
) -> None:
    left = ledger.balance(organization, now=now).total
    if made:
        done = f"{'Gave' if credits > 0 else 'Took'} {counted(abs(credits))}"
        messages.success(request, f"{done}. {organization} now has {left:,}.")
    else:
        messages.warning(
            request, f"This was done before, so nothing changed. {organization} has {left:,}."
        )
