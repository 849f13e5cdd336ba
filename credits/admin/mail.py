"""Emails to customers and staff: whether each went out, and if not, why."""

import json

from django.contrib import admin
from django.utils.html import format_html

from credits.admin.base import DayRangeFilter, ReadOnlyAdmin, label
from credits.admin.filters import FailingFilter
from credits.models import Email


@admin.register(Email)
class EmailAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "to", "template", "status", "sent_at", "attempts", "error")
    list_filter = (
        ("sent_at", admin.EmptyFieldListFilter),
        FailingFilter,
        ("created_at", DayRangeFilter),
    )
    search_fields = ("to", "key__exact", "template__exact")
    search_help_text = "Address, template or key"
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

    @admin.display(description="status", ordering="sent_at")
    def status(self, email: Email) -> str:
        if email.sent_at:
            return label("Sent", "success")
        return label("Failing", "danger") if email.error else label("Waiting", "warning")

    @admin.display(description="what it tells")
    def shown_context(self, email: Email) -> str:
        return format_html("<pre>{}</pre>", json.dumps(email.context, indent=2, ensure_ascii=False))
