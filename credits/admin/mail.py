"""Emails to customers and staff: whether each went out, and if not, why."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from unfold.decorators import action

from credits.admin import resending
from credits.admin.base import DayRangeFilter, StaffRequest, label
from credits.admin.filters import FailingFilter, OfferedFilter
from credits.admin.offering import OffersActions
from credits.models import Email


class SentFilter(OfferedFilter):
    """By the next attempt, which exactly the unsent have: those few are in an index."""

    title = "sent"
    parameter_name = "sent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Sent"), ("no", "Not yet")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(next_attempt_at__isnull=self.value() == "yes")


@admin.register(Email)
class EmailAdmin(OffersActions):
    list_display = ("created_at", "to", "template", "status", "sent_at", "attempts", "error")
    list_filter = (SentFilter, FailingFilter, ("created_at", DayRangeFilter))
    found_by = ("to__exact", "key__exact", "template__exact")
    search_help_text = "Address, template or key"
    sortable_by = ("created_at",)
    fields = (
        "to",
        "template",
        "key",
        "status",
        "created_at",
        "sent_at",
        "attempts",
        "error",
        "next_attempt_at",
        "shown_context",
    )
    readonly_fields = ("status", "shown_context")
    actions_detail = ("send_again",)

    def has_retry_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("credits.retry_email")

    def sensible(self, obj: Email) -> set[str]:
        return set() if obj.sent_at else {"send_again"}

    @action(description="Try now", icon="sync", permissions=["view", "retry"])
    def send_again(self, request: StaffRequest, object_id: str) -> HttpResponse:
        email = self.object_or_404(request, object_id)
        question = self.confirmation(
            request,
            email,
            title=f"Try to send {email} now?",
            text="It is tried now instead of at its next attempt, and goes out once."
            + (f" Its last error was: {email.error}" if email.error else ""),
            button="Try now",
            variant="primary",
        )
        return question or resending.try_now(self, request, email)

    @admin.display(description="status")
    def status(self, email: Email) -> str:
        if email.sent_at:
            return label("Sent", "success")
        return label("Failing", "danger") if email.error else label("Waiting", "warning")

    @admin.display(description="what it tells")
    def shown_context(self, email: Email) -> str:
        return format_html("<pre>{}</pre>", json.dumps(email.context, indent=2, ensure_ascii=False))
