"""Adjusting credits by hand: a form, then exactly what would change, then it changes."""

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from credits import adjustments, ledger
from credits.admin.adjustments import shown_ticket
from credits.admin.asking import CONFIRMED
from credits.admin.base import StaffRequest, change_url, label, one_time_id
from credits.admin.overview import GRANT_LABELS
from credits.admin.tables import number, table
from credits.counting import counted
from credits.models import Adjustment, Organization
from credits.models.adjustments import MAX_TEXT_LENGTH
from credits.models.organizations import MAX_CREDITS

if TYPE_CHECKING:
    from credits.admin.organizations import OrganizationAdmin

# Beyond so many grants, those that stay as they are can't all be looked at.
GRANTS_SHOWN = 20
# What the preview said is taken of which grants.
SHOWN_TAKING = "shown_taking"


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
    reason = forms.ChoiceField(
        choices=[("", "Choose one"), *Adjustment.Reason.choices], widget=UnfoldAdminSelectWidget
    )
    text = forms.CharField(
        label="In your words",
        required=False,
        max_length=MAX_TEXT_LENGTH,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text="Kept with the reason in the ledger and in the log, with your name. "
        "Needed where the reason is another one.",
    )
    ticket = adjustments.TicketField(
        widget=UnfoldAdminTextInputWidget,
        help_text="Its address, which begins with https://, or its number.",
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

    def clean(self) -> dict[str, Any]:
        for field, problem in adjustments.problems(self.cleaned_data, now=self.now).items():
            self.add_error(field, problem)
        return self.cleaned_data

    @property
    def asked(self) -> dict[str, Any]:
        """What `ledger.adjust` is asked for."""
        wanted = dict(self.cleaned_data)
        code, words = wanted.pop("reason"), wanted.pop("text")
        return {**wanted, "code": code, "reason": words}

    def refuse(self, error: ledger.LedgerError) -> None:
        for field, problem in adjustments.refusal(error).items():
            if field in self.fields:
                self.add_error(field, problem)
            else:
                used = "This form was used before, for another adjustment; open the page again."
                self.add_error("adjustment_id", used)


class TakesSomethingElse(Exception):
    """What was confirmed would take from other grants than the preview showed."""


def adjust_view(
    model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
) -> HttpResponse:
    return _Adjusting(model_admin, request, organization).respond()


class _Adjusting:
    """One request to adjust one organization's credits."""

    def __init__(
        self, model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
    ) -> None:
        self.model_admin, self.request, self.organization = model_admin, request, organization
        self.now = timezone.now()
        self.form = AdjustForm(request.POST or None, now=self.now)

    def respond(self) -> HttpResponse:
        is_sent = self.request.method == "POST" and self.form.is_valid()
        if not is_sent or "change" in self.request.POST:
            return self._ask()
        try:
            if CONFIRMED in self.request.POST:
                return self._adjust()
            return self._preview()
        except ledger.LedgerError as error:
            self.form.refuse(error)
            return self._ask()

    def _ask(self) -> HttpResponse:
        return self._page(
            "adjust.html",
            media=self.model_admin.media + self.form.media,
            balance=ledger.balance(self.organization, now=self.now),
        )

    def _page(self, template: str, **context: Any) -> HttpResponse:
        return self.model_admin.page(
            self.request,
            f"admin/credits/organization/{template}",
            self.organization,
            title=f"Adjust credits of {self.organization}",
            form=self.form,
            **context,
        )

    def _preview(self, *, is_other: bool = False) -> HttpResponse:
        asked = self.form.cleaned_data
        foreseen = ledger.foresee_adjustment(
            self.organization, asked["credits"], expires_at=asked["expires_at"], now=self.now
        )
        return self._page(
            "adjust_preview.html",
            preview=Preview(foreseen, asked["credits"]),
            reason=Adjustment.Reason(asked["reason"]).label,
            ticket=shown_ticket(asked["ticket"]),
            names={"confirmed": CONFIRMED, "taking": SHOWN_TAKING},
            is_other=is_other,
        )

    def _adjust(self) -> HttpResponse:
        try:
            made = self._adjust_as_shown()
        except (TakesSomethingElse, ledger.OutOfCredits):
            return self._preview(is_other=True)
        self._tell(made)
        return HttpResponseRedirect(change_url(self.organization))

    @transaction.atomic
    def _adjust_as_shown(self) -> bool:
        """Adjust and log, both or neither; whether it was made now."""
        asked = self.form.asked
        made = ledger.adjust(self.organization, **asked, actor=self.request.user, now=self.now)
        if made:
            if ledger.taking(asked["adjustment_id"]) != self.request.POST.get(SHOWN_TAKING):
                raise TakesSomethingElse
            why = Adjustment.objects.get(pk=asked["adjustment_id"]).why
            log = f"Adjusted credits by {asked['credits']:+,}: {why}"
            self.model_admin.log_change(self.request, self.organization, log)
        return made

    def _tell(self, made: bool) -> None:
        left = ledger.balance(self.organization, now=self.now).total
        credits = self.form.cleaned_data["credits"]
        if made:
            done = f"{'Gave' if credits > 0 else 'Took'} {counted(abs(credits))}"
            messages.success(self.request, f"{done}. {self.organization} now has {left:,}.")
        else:
            messages.warning(
                self.request,
                f"This was done before, so nothing changed. {self.organization} has {left:,}.",
            )


class Preview:
    """What the preview page tells of an adjustment that was foreseen."""

    def __init__(self, foreseen: ledger.Foreseen, credits: int) -> None:
        self.foreseen = foreseen
        self.button = f"{'Give' if credits > 0 else 'Take'} {counted(abs(credits))}"

    @cached_property
    def grants(self) -> dict[str, Any]:
        """In burn-down order; of many grants that stay as they are, only the first."""
        rows = [
            _grant_row(place, change)
            for place, change in enumerate(self.foreseen.grants, 1)
            if change.credits or place <= GRANTS_SHOWN
        ]
        return table(("Order", "Grant", "Lapses", "Now", "Change", "Then"), rows)

    @property
    def unshown(self) -> int:
        return len(self.foreseen.grants) - len(self.grants["rows"])


def _grant_row(place: int, change: ledger.GrantChange) -> list[Any]:
    grant = change.grant
    name = label(grant.get_kind_display(), GRANT_LABELS[grant.kind])
    return [
        f"{place}.",
        label("New grant", "success") if change.before is None else name,
        grant.expires_at or "Never",
        number(change.before) if change.before is not None else None,
        number(change.credits, "+") if change.credits else "stays",
        number(grant.remaining),
    ]
