"""What organizations were told about their credits."""

from django.contrib import admin

from credits.admin.base import DayRangeFilter, ReadOnlyAdmin, link
from credits.admin.ledger import ORGANIZATION
from credits.admin.searching import OF_ORGANIZATION
from credits.models import Notice


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = (
        "occurred_at",
        "organization_link",
        "kind",
        "available_credits",
        "ended_at",
        "told_at",
        "emails",
    )
    list_filter = ("kind", ORGANIZATION, ("occurred_at", DayRangeFilter))
    list_select_related = ("organization",)
    found_by = ("organization",)
    search_help_text = OF_ORGANIZATION
    sortable_by = ()

    @admin.display(description="organization")
    def organization_link(self, notice: Notice) -> str:
        return link(notice.organization)
