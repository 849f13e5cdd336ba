"""Adjusting many organizations from one CSV file: upload, dry run, confirm, progress, result."""

from functools import cached_property
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import truncatechars
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminFileFieldWidget

from credits import adjustments
from credits.admin.adjustments import AdjustingAdmin
from credits.admin.base import DayRangeFilter, StaffRequest, change_url, link
from credits.admin.tables import number, table
from credits.models import Adjustment, BulkAdjustment, BulkAdjustmentRow
from credits.tasks import run_bulk_adjustment

PROBLEMS_SHOWN = 50
ROWS_SHOWN = 10
SECONDS_BETWEEN_LOOKS = 2

Outcome = BulkAdjustmentRow.Outcome


class UploadForm(forms.Form):
    file = forms.FileField(
        label="CSV file",
        max_length=255,
        widget=UnfoldAdminFileFieldWidget({"accept": ".csv,text/csv"}),
        help_text=f"UTF-8, up to {adjustments.MAX_ROWS:,} rows and "
        f"{adjustments.MAX_BYTES // 1_000_000} MB.",
    )

    def clean_file(self) -> adjustments.File:
        file = self.cleaned_data["file"]
        try:
            # A byte more than is allowed shows that there is too much, however much it is.
            return adjustments.read(file.name or "", file.read(adjustments.MAX_BYTES + 1))
        except adjustments.FileError as error:
            raise forms.ValidationError(str(error)) from error


class BulkOverview:
    """What the page of one file tells: what it would do, is doing or has done."""

    def __init__(self, bulk: BulkAdjustment) -> None:
        self.bulk = bulk
        rows = bulk.rows.values_list("outcome").annotate(rows=Count("pk")).order_by()
        self.counts = dict.fromkeys(Outcome.values, 0) | dict(rows)
        self.made = self.counts[Outcome.DONE]
        self.waiting = self.counts[Outcome.WAITING]
        self.done_before = self.counts[Outcome.DONE_BEFORE]
        self.refused = self.counts[Outcome.REFUSED]

    @property
    def totals(self) -> dict[str, int]:
        """Of the rows that are to be made, or when all is over, of those that were."""
        shown = (Outcome.DONE,) if self.bulk.finished_at else (Outcome.WAITING, Outcome.DONE)
        return adjustments.totals(self.bulk, *shown)

    @property
    def gives(self) -> str:
        return "Given" if self.bulk.finished_at else "Gives"

    @property
    def takes(self) -> str:
        return "Taken" if self.bulk.finished_at else "Takes"

    @property
    def finished_rows(self) -> int:
        return self.bulk.row_count - self.waiting

    @property
    def percent(self) -> int:
        """How far it is; 1 at least, so that something is seen."""
        return max(1, 100 * self.finished_rows // self.bulk.row_count)

    @property
    def same_file(self) -> BulkAdjustment | None:
        """The upload before this one that was of the same bytes."""
        earlier = BulkAdjustment.objects.filter(
            sha256=self.bulk.sha256, uploaded_at__lt=self.bulk.uploaded_at
        )
        return earlier.select_related("uploaded_by").first()

    @property
    def problems(self) -> dict[str, Any]:
        rows = self.bulk.rows.filter(outcome=Outcome.REFUSED)[:PROBLEMS_SHOWN]
        headers = ("Line", "Column", "Has", "What is wrong")
        return table(headers, (cells for row in rows for cells in _problem_cells(row)))

    @cached_property
    def rows(self) -> dict[str, Any]:
        found = self.bulk.rows.exclude(outcome=Outcome.REFUSED).select_related("organization")
        headers = ("Line", "Organization", "Credits", "Reason", "Text", "Lapses", "Outcome")
        return table(headers, map(_row_cells, found[:ROWS_SHOWN]))

    @property
    def unshown_problems(self) -> int:
        return max(0, self.refused - PROBLEMS_SHOWN)

    @property
    def unshown(self) -> int:
        return max(0, self.bulk.row_count - self.refused - ROWS_SHOWN)


def _problem_cells(row: BulkAdjustmentRow) -> list[list[Any]]:
    return [
        [number(row.line), column, truncatechars(row.cells.get(column, ""), 60), problem]
        for column, problem in row.problems.items()
    ]


def _row_cells(row: BulkAdjustmentRow) -> list[Any]:
    return [
        number(row.line),
        link(row.organization),
        number(row.credits or 0, "+"),
        row.cells["reason"],
        truncatechars(row.cells["text"], 60),
        row.cells["expires_at"],
        row.get_outcome_display(),
    ]


@admin.register(BulkAdjustment)
class BulkAdjustmentAdmin(AdjustingAdmin):
    list_display = (
        "uploaded_at",
        "file_name",
        "uploaded_by",
        "status",
        "row_count",
        "done_count",
        "done_before_count",
        "refused_count",
    )
    list_filter = (("uploaded_at", DayRangeFilter),)
    list_select_related = ("uploaded_by",)
    search_fields = ("file_name", "sha256__exact", "uploaded_by__email__exact")
    search_help_text = "File name, SHA-256 or who uploaded it"
    fields = (
        "file_name",
        "shown_sha256",
        "uploaded_by",
        "uploaded_at",
        "confirmed_by",
        "confirmed_at",
        "finished_at",
    )
    readonly_fields = ("shown_sha256",)
    actions_list = ("upload", "template")
    actions_detail = ("result", "confirm")
    change_form_outer_before_template = "admin/credits/bulkadjustment/overview.html"

    @display(
        description="status",
        label={"Tried out": "info", "Under way": "warning", "Finished": "success"},
    )
    def status(self, bulk: BulkAdjustment) -> str:
        if bulk.finished_at:
            return "Finished"
        return "Under way" if bulk.confirmed_at else "Tried out"

    @display(description="SHA-256")
    def shown_sha256(self, bulk: BulkAdjustment) -> str:
        return format_html('<span class="hash">{}</span>', bulk.sha256)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """No buttons in the header: they stand where the page says what they are about."""
        return []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        bulk = self.get_object(request, object_id)
        overview = bulk and BulkOverview(bulk)
        context = {"overview": overview, "may_adjust": self.has_adjust_permission(request)}
        response = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **context}
        )
        if bulk and bulk.is_running:
            response.headers["Refresh"] = str(SECONDS_BETWEEN_LOOKS)
        return response

    @action(
        description="Adjust from a CSV file",
        icon="upload_file",
        permissions=["view", "adjust"],
        variant=ActionVariant.PRIMARY,
    )
    def upload(self, request: StaffRequest) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
        if form.is_valid():
            file = form.cleaned_data["file"]
            bulk = adjustments.upload(file, by=request.user, now=timezone.now())
            return HttpResponseRedirect(change_url(bulk))
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Adjust from a CSV file",
            "form": form,
            "columns": _columns(),
            "back": reverse("admin:credits_bulkadjustment_changelist"),
        }
        return TemplateResponse(request, "admin/credits/bulkadjustment/upload.html", context)

    @action(description="Template", icon="download", permissions=["view", "adjust"])
    def template(self, request: StaffRequest) -> HttpResponse:
        return _csv(adjustments.template(), "adjustments-template.csv")

    @action(description="Download result", icon="download", permissions=["view"])
    def result(self, request: StaffRequest, object_id: str) -> HttpResponse:
        bulk = self.object_or_404(request, object_id)
        return _csv(adjustments.result(bulk), f"result-{bulk.file_name.removesuffix('.csv')}.csv")

    @action(description="Confirm", permissions=["view", "adjust"])
    def confirm(self, request: StaffRequest, object_id: str) -> HttpResponse:
        bulk = self.object_or_404(request, object_id)
        if request.method == "POST":
            self._confirm(request, bulk)
        return HttpResponseRedirect(change_url(bulk))

    def _confirm(self, request: StaffRequest, bulk: BulkAdjustment) -> None:
        leave_out = "leave_out" in request.POST
        try:
            with transaction.atomic():
                is_news = adjustments.confirm(
                    bulk, leave_out_refused=leave_out, by=request.user, now=timezone.now()
                )
                if is_news:
                    self.log_change(request, bulk, "Confirmed: its adjustments are made.")
        except adjustments.HasRefusedRows:
            messages.error(
                request,
                "Nothing was adjusted: some rows are wrong. Correct the file and upload it again, "
                "or say that they are to be left out.",
            )
            return
        if not is_news:
            messages.warning(request, "This was confirmed before.")
            return
        # Where the broker is away, the sweep takes it up.
        transaction.on_commit(lambda: run_bulk_adjustment.delay(str(bulk.pk)), robust=True)


def _columns() -> dict[str, Any]:
    """What the upload page says of each column."""
    reasons = ", ".join(Adjustment.Reason.values)
    rows = (
        ("organization", "Its public id, like org_0123456789abcdef", "yes"),
        ("credits", "Whole credits: 100 gives, -100 takes", "yes"),
        ("reason", f"One of {reasons}", "yes"),
        ("text", "In your words; for the reason other it is needed", ""),
        ("expires_at", "When given credits lapse: 2030-01-31 or 2030-01-31T12:00:00Z, in UTC", ""),
        ("ticket", "Its address, which begins with https://, or its number", ""),
        ("reference", "Your own name for the adjustment, made once for each organization", "yes"),
    )
    return table(("Column", "What it says", "Needed"), rows)


def _csv(text: str, name: str) -> HttpResponse:
    return HttpResponse(
        text,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name)},
    )
