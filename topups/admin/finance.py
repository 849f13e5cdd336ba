"""Finance: the months of the deferred balance on screen and as files, and their closing."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Max, Min
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget

from credits.admin.base import ReadOnlyAdmin, StaffRequest
from credits.spreadsheets import csv_text
from topups import closing, finance, month_files, top_up_months
from topups.admin import month_tables
from topups.finance import Month
from topups.models import MonthTotal
from topups.models.plans import default_currency

MONTHS_SHOWN = 24
TOP_UPS_SHOWN = 50
MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
LAST_MONTH = date.max.replace(day=1)


class PeriodForm(forms.Form):
    """Which currency, and of which time; nothing chosen is the usual currency and all of it."""

    currency = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    year = forms.TypedChoiceField(required=False, coerce=int, widget=UnfoldAdminSelectWidget)
    month = forms.TypedChoiceField(required=False, coerce=int, widget=UnfoldAdminSelectWidget)

    def __init__(
        self, data: dict[str, Any], *, month: date | None, currencies: list[str], years: list[int]
    ) -> None:
        self.currencies = currencies
        shown = {"year": month.year, "month": month.month} if month else {}
        # What is not chosen is chosen for the reader, who sees it in the field.
        super().__init__({"currency": self.usual_currency, **shown, **data})
        months = [(month, f"{date(2000, month, 1):%B}") for month in range(1, 13)]
        self._offer("currency", [(code, code.upper()) for code in currencies])
        self._offer("year", [("", "All years"), *((year, str(year)) for year in years)])
        self._offer("month", [("", "All months"), *months])

    def _offer(self, name: str, choices: list[tuple[Any, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]
        told = ", ".join(text for _, text in choices) or "none, as nothing was sold yet"
        self.fields[name].error_messages["invalid_choice"] = f"Choose one of these: {told}."

    @property
    def usual_currency(self) -> str:
        usual = default_currency()
        return usual if usual in self.currencies else next(iter(self.currencies), "")

    @property
    def chosen_currency(self) -> str:
        chosen: str = self.cleaned_data.get("currency") or self.usual_currency
        return chosen

    def clean(self) -> None:
        needs_year = self.cleaned_data.get("month") and not self.cleaned_data.get("year")
        if needs_year and "year" not in self.errors:
            self.add_error("year", "Choose the year of this month too.")

    @property
    def chosen_month(self) -> date | None:
        if self.is_valid() and self.cleaned_data["month"]:
            return date(self.cleaned_data["year"], self.cleaned_data["month"], 1)
        return None


@admin.register(MonthTotal)
class MonthTotalAdmin(ReadOnlyAdmin):
    """Not a list of rows: a screen of months, and a page for each."""

    def has_close_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("topups.close_month")

    def get_urls(self) -> list[Any]:
        views: dict[str, tuple[str, Callable[..., HttpResponseBase]]] = {
            "summary": ("months.csv", self.summary_file),
            "free": ("free-credits.csv", self.free_file),
            "month": ("month/<str:month>/", self.month_view),
            "top_ups": ("month/<str:month>/top-ups.csv", self.top_ups_file),
            "close": ("month/<str:month>/close/", self.close_view),
        }
        own = [
            path(route, self._guarded(view), name=f"topups_monthtotal_{name}")
            for name, (route, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    def _guarded(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        """Only for who may see the months."""

        def guarded(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return view(request, **arguments)

        return self.admin_site.admin_view(guarded)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = _form(request)
        if month := form.chosen_month:
            return HttpResponseRedirect(month_tables.month_url(month, form.chosen_currency))
        year = form.cleaned_data.get("year")
        months = _shown(finance.months(form.chosen_currency), year)
        free = _shown(finance.free_months(), year)
        context = {
            "title": "Finance",
            "months": month_tables.months(months, _present()) if months else None,
            "free": month_tables.free(free) if free else None,
            "warnings": [_difference(month) for month in months if month.differences()],
        }
        return self._screen(request, "admin/topups/finance/months.html", form, context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        total = self.object_or_404(request, object_id)
        form = _form(request, total.month)
        return self._month_page(request, total.month, total.currency, form)

    def month_view(self, request: HttpRequest, month: str) -> HttpResponse:
        first = parse_month(month)
        form = _form(request, first)
        if (chosen := form.chosen_month) and chosen != first:
            return HttpResponseRedirect(month_tables.month_url(chosen, form.chosen_currency))
        return self._month_page(request, first, form.chosen_currency, form)

    def _month_page(
        self, request: HttpRequest, month: date, currency: str, form: PeriodForm
    ) -> HttpResponse:
        found = _month_or_404(month, currency)
        rows = top_up_months.moved_in(
            month, currency, after=_after(request), limit=TOP_UPS_SHOWN + 1
        )
        shown = rows[:TOP_UPS_SHOWN]
        context = {
            "title": f"{month:%B %Y} in {currency.upper()}",
            "month": found,
            "path_month": f"{month:%Y-%m}",
            "state": month_tables.state(found, _present()),
            "warnings": [_difference(found)] if found.differences() else [],
            "roll_forward": month_tables.roll_forward(found),
            "sales": month_tables.sales(found),
            "revenue": month_tables.revenue(found),
            "free": month_tables.free([f for f in finance.free_months() if f.month == month]),
            "top_ups": month_tables.top_ups(shown),
            "after": shown[-1].grant_id if len(rows) > TOP_UPS_SHOWN else None,
            "can_close": self.has_close_permission(request) and _is_closable(found),
        }
        return self._screen(request, "admin/topups/finance/month.html", form, context)

    def _screen(
        self, request: HttpRequest, template: str, form: PeriodForm, context: dict[str, Any]
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        shared = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "form": form,
            "currency": form.chosen_currency,
            "as_of": finance.as_of(),
            "shown_months": MONTHS_SHOWN,
        }
        status = 400 if form.errors else 200
        return TemplateResponse(request, template, {**shared, **context}, status=status)

    def close_view(self, request: StaffRequest, month: str) -> HttpResponse:
        if not self.has_close_permission(request):
            raise PermissionDenied
        first, now = parse_month(month), timezone.now()
        back = HttpResponseRedirect(month_tables.month_url(first, _form(request).chosen_currency))
        try:
            if request.method == "POST":
                self._close(request, first, now)
                return back
            return self._ask(request, closing.to_close(first), back.url)
        except closing.NotClosable as error:
            messages.warning(request, str(error))
            return back

    def _ask(self, request: StaffRequest, found: list[Month], back: str) -> HttpResponse:
        last = found[-1].month
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Close {last:%B %Y}?",
            "back": back,
            "lines": [_closing_line(month) for month in found],
        }
        return TemplateResponse(request, "admin/topups/finance/close.html", context)

    def _close(self, request: StaffRequest, month: date, now: datetime) -> None:
        closed = closing.close(month, actor=request.user, now=now)
        for known in closed:
            if known.total.pk:
                self.log_change(request, known.total, f"Closed: {_closing_line(known)}")
        messages.success(request, f"Closed {month:%B %Y}. Its figures are kept as they are.")

    def summary_file(self, request: HttpRequest) -> HttpResponseBase:
        form = _form(request)
        if form.errors:
            return self.changelist_view(request)
        chosen = [form.chosen_currency] if "currency" in request.GET else form.currencies
        return _file(month_files.summary(chosen), "months")

    def free_file(self, request: HttpRequest) -> HttpResponseBase:
        return _file(month_files.free(), "free-credits")

    def top_ups_file(self, request: HttpRequest, month: str) -> HttpResponseBase:
        """With every currency, where any of them has a page of the month."""
        first = parse_month(month)
        if not any(_month_of(first, currency) for currency in finance.currencies()):
            raise Http404(f"Nothing moved by {first:%B %Y}.")
        return _file(month_files.top_ups(first), f"top-ups-{month}")


def parse_month(text: str) -> date:
    """The first day of a month written `2026-11`. Raises Http404 for anything else.

    The last month there is for a program is none here, as it has no next one in which it is over.
    """
    try:
        first = date.fromisoformat(f"{text}-01") if MONTH.fullmatch(text) else LAST_MONTH
    except ValueError:
        first = LAST_MONTH
    if first == LAST_MONTH:
        raise Http404(f"There is no month {text!r}; write it like 2026-11.")
    return first


def _form(request: HttpRequest, month: date | None = None) -> PeriodForm:
    """What the address chooses, on the page of a month if one is given."""
    asked = request.GET.dict()
    form = PeriodForm(asked, month=month, currencies=finance.currencies(), years=_years())
    form.is_valid()
    return form


def _years() -> list[int]:
    """Those of the totals and the present one, latest first."""
    found = MonthTotal.objects.aggregate(first=Min("month"), last=Max("month"))
    if found["first"] is None:
        return []
    last = max(found["last"], _present() or found["last"])
    return list(range(last.year, found["first"].year - 1, -1))


def _present() -> date | None:
    moment = finance.as_of()
    return moment.astimezone(UTC).date().replace(day=1) if moment else None


def _shown(months: list[Any], year: int | None) -> list[Any]:
    """The latest months, or those of a year, latest first."""
    latest_first = sorted(months, key=lambda found: found.month, reverse=True)
    if year:
        return [found for found in latest_first if found.month.year == year]
    shown = sorted({found.month for found in months}, reverse=True)[:MONTHS_SHOWN]
    return [found for found in latest_first if found.month in shown]


def _month_of(month: date, currency: str) -> Month | None:
    return next((found for found in finance.months(currency) if found.month == month), None)


def _month_or_404(month: date, currency: str) -> Month:
    if found := _month_of(month, currency):
        return found
    raise Http404(f"Nothing moved in {currency.upper() or 'any currency'} by {month:%B %Y}.")


def _after(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET["after"]) if "after" in request.GET else None
    except ValueError:
        raise Http404("This is no page of this list.") from None


def _is_closable(month: Month) -> bool:
    return month.closed is None and closing.is_complete(month.month)


def _difference(month: Month) -> str:
    told = "; ".join(
        f"{name.replace('_', ' ')} was {was:,} and is {is_:,}"
        for name, was, is_ in month.differences()
    )
    return (
        f"{month.month:%B %Y} has other figures than when it was closed: {told}. "
        "The ledger never goes back, so this must not happen: tell who runs Credits."
    )


def _closing_line(month: Month) -> str:
    currency = month.total.currency
    deferred = month_tables.money(month.closing.minor, currency)
    return (
        f"{month.month:%B %Y} in {currency.upper()}: {deferred} deferred for "
        f"{month.closing.credits:,} credits, "
        f"{month_tables.money(month.revenue_minor, currency)} revenue"
    )


def _file(chunks: Iterator[Iterable[Iterable[Any]]], name: str) -> StreamingHttpResponse:
    """CSV that is sent while it is read, so that its length does not matter."""
    return StreamingHttpResponse(
        map(csv_text, chunks),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )
