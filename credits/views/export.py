"""Usage as a file."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from credits import reports
from credits.models import Organization
from credits.spreadsheets import csv_text
from credits.views.base import SignedInRequest, visible_organization

MAX_DAYS = 366
MAX_NAME_LENGTH = 60


def _day_field(label: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, widget=widget)


class PeriodForm(forms.Form):
    """Which UTC days a file covers, both included; `today` is the day it is in UTC."""

    first_day = _day_field(_("First day"))
    last_day = _day_field(_("Last day"))

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        for field in self.fields.values():
            field.widget.attrs["max"] = today.isoformat()

    def clean_last_day(self) -> date:
        last_day: date = self.cleaned_data["last_day"]
        if last_day > self.today:
            raise ValidationError(_("Choose today or a day before."))
        return last_day

    def clean(self) -> None:
        first_day, last_day = self.cleaned_data.get("first_day"), self.cleaned_data.get("last_day")
        if first_day and last_day and not 0 <= (last_day - first_day).days < MAX_DAYS:
            message = _("Choose a first day that is not after the last, %(days)s days at most.")
            self.add_error("first_day", ValidationError(message, params={"days": MAX_DAYS}))

    @property
    def start(self) -> datetime:
        return datetime.combine(self.cleaned_data["first_day"], time(), UTC)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.cleaned_data["last_day"], time(), UTC) + timedelta(days=1)


@login_required
@never_cache
@require_GET
def usage_csv(request: SignedInRequest) -> HttpResponseBase:
    """Every spend of a period as CSV, sent while it is read, so that its length does not matter."""
    organization = visible_organization(request)
    now = timezone.now()
    form = PeriodForm(request.GET, today=now.astimezone(UTC).date())
    if not form.is_valid():
        context = {"export": form, "organization": organization}
        return render(request, "credits/export.html", context, status=400)
    return StreamingHttpResponse(
        _file(organization, form.start, min(form.end, now)),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": content_disposition_header(True, _name(organization, form))
        },
    )


def _file(organization: Organization, start: datetime, end: datetime) -> Iterator[str]:
    yield csv_text([reports.SPEND_COLUMNS])
    for spends in reports.spends_in_order(organization, start=start, end=end):
        yield csv_text(map(_row, spends))


def _row(spend: tuple[Any, ...]) -> tuple[Any, ...]:
    at, *rest = spend
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", *rest


def _name(organization: Organization, form: PeriodForm) -> str:
    name = slugify(organization.name, allow_unicode=True)[:MAX_NAME_LENGTH].strip("-")
    days = (form.cleaned_data["first_day"], form.cleaned_data["last_day"])
    first_day, last_day = (day.isoformat() for day in days)
    return f"{name or organization.public_id}-usage-{first_day}-to-{last_day}.csv"
