"""Adjustments: the list of all, and many of them from a file."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action

from credits.admin.base import DayRangeFilter, ReadOnlyAdmin, link
from credits.models import Adjustment, Entry
from credits.models.adjustments import LINK, MAX_TICKET_LENGTH

SHORT_TEXT_LENGTH, SHORT_TICKET_LENGTH = 60, 30


class AdjustingAdmin(ReadOnlyAdmin):
    def has_adjust_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("credits.adjust_credits")


def shown_ticket(ticket: str, length: int = MAX_TICKET_LENGTH) -> str:
    """A ticket's address as a link, and its number as it is; so many characters of either."""
    if not ticket.startswith(LINK):
        return truncatechars(ticket, length)
    return format_html(
        '<a class="text-link" href="{}" target="_blank" rel="noopener noreferrer">{}</a>',
        ticket,
        truncatechars(ticket.removeprefix(LINK), length),
    )


@admin.register(Adjustment)
class AdjustmentAdmin(AdjustingAdmin):
    list_display = (
        "created_at",
        "organization_link",
        "signed_credits",
        "reason",
        "shown_text",
        "short_ticket",
        "actor",
        "expires_at",
    )
    list_filter = (
        "reason",
        ("actor", AutocompleteSelectFilter),
        ("organization", AutocompleteSelectFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("organization", "actor")
    found_by = ("id__exact", "ticket__exact", "organization")
    search_help_text = "Organization, its public id, adjustment id or whole ticket"
    sortable_by = ()
    fields = (
        "id",
        "organization_link",
        "signed_credits",
        "reason",
        "text",
        "shown_ticket",
        "expires_at",
        "actor",
        "created_at",
        "file",
        "entries",
    )
    readonly_fields = fields
    actions_list = ("adjust_from_file",)

    @action(
        description="Adjust from a CSV file", icon="upload_file", permissions=["view", "adjust"]
    )
    def adjust_from_file(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:credits_bulkadjustment_upload"))

    @admin.display(description="organization")
    def organization_link(self, adjustment: Adjustment) -> str:
        return link(adjustment.organization)

    @admin.display(description="credits")
    def signed_credits(self, adjustment: Adjustment) -> str:
        return f"{adjustment.credits:+,}"

    @admin.display(description="in their words")
    def shown_text(self, adjustment: Adjustment) -> str:
        return truncatechars(adjustment.text, SHORT_TEXT_LENGTH)

    @admin.display(description="ticket")
    def shown_ticket(self, adjustment: Adjustment) -> str:
        return shown_ticket(adjustment.ticket) or "-"

    @admin.display(description="ticket")
    def short_ticket(self, adjustment: Adjustment) -> str:
        return shown_ticket(adjustment.ticket, SHORT_TICKET_LENGTH) or "-"

    @admin.display(description="from the file")
    def file(self, adjustment: Adjustment) -> str:
        row = adjustment.bulk_row
        return format_html("{}, line {}", link(row.bulk), row.line) if row else "-"

    @admin.display(description="entries")
    def entries(self, adjustment: Adjustment) -> str:
        rows = Entry.objects.filter(adjustment_id=adjustment.pk).select_related("grant")
        return format_html_join(
            "\n",
            "<div>{}: {}</div>",
            ((link(row), link(row.grant)) for row in rows.order_by("seq")),
        )
