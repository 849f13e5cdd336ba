"""The ledger: read here by everybody, written here by nobody."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from credits.admin.base import DayRangeFilter, ReadOnlyAdmin, link
from credits.admin.filters import GrantKindFilter, ServiceFilter
from credits.admin.overview import money_back, why
from credits.models import Entry, Grant, Refund, Spend, Wallet

ORGANIZATION = ("organization", AutocompleteSelectFilter)
CREATED = ("created_at", DayRangeFilter)


class LedgerAdmin(ReadOnlyAdmin):
    list_select_related: tuple[str, ...] = ("organization",)
    list_filter: tuple[Any, ...] = (ORGANIZATION, CREATED)
    search_fields: tuple[str, ...] = ("organization__name", "organization__public_id__exact")

    @admin.display(description="organization", ordering="organization__name")
    def organization_link(self, row: "Grant | Spend | Refund | Entry | Wallet") -> str:
        return link(row.organization)


@admin.register(Grant)
class GrantAdmin(LedgerAdmin):
    list_display = (
        "created_at",
        "organization_link",
        "kind",
        "amount",
        "remaining",
        "starts_at",
        "expires_at",
    )
    list_filter = ("kind", "is_open", ORGANIZATION, CREATED)
    search_fields = (*LedgerAdmin.search_fields, "id__exact", "purchase_id__exact")
    search_help_text = "Organization, its public id, grant id or purchase id"
    ordering = ("-created_at", "-id")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Grant | None = None
    ) -> tuple[str, ...]:
        return ("money_back",) if obj and money_back(obj) else ()

    @admin.display(description="money back")
    def money_back(self, grant: Grant) -> str:
        return money_back(grant)


@admin.register(Spend)
class SpendAdmin(LedgerAdmin):
    list_display = (
        "created_at",
        "organization_link",
        "action",
        "quantity",
        "credits",
        "status",
        "reference",
        "balance_after",
    )
    list_filter = ("status", ("action", AutocompleteSelectFilter), ORGANIZATION, CREATED)
    list_select_related = ("organization", "action", "api_key")
    search_fields = (
        *LedgerAdmin.search_fields,
        "id__exact",
        "reference",
        "idempotency_key__exact",
    )
    search_help_text = "Organization, its public id, spend id, reference or idempotency key"


@admin.register(Refund)
class RefundAdmin(LedgerAdmin):
    list_display = ("created_at", "organization_link", "spend_link", "credits", "refunded_after")
    list_select_related = ("organization", "spend__action")
    search_fields = (
        *LedgerAdmin.search_fields,
        "spend__id__exact",
        "spend__reference",
        "idempotency_key__exact",
    )
    search_help_text = "Organization, its public id, spend id, reference or idempotency key"
    ordering = ("-created_at", "-id")

    @admin.display(description="spend")
    def spend_link(self, refund: Refund) -> str:
        return link(refund.spend)


@admin.register(Entry)
class EntryAdmin(LedgerAdmin):
    list_display = (
        "created_at",
        "organization_link",
        "seq",
        "kind",
        "signed_credits",
        "remaining_after",
        "grant_link",
        "why",
    )
    list_filter = ("kind", GrantKindFilter, ServiceFilter, ORGANIZATION, CREATED)
    list_select_related = ("organization", "grant", "spend__action", "actor")
    search_fields = (
        *LedgerAdmin.search_fields,
        "reason",
        "spend__reference",
        "spend__idempotency_key__exact",
    )
    search_help_text = "Organization, its public id, reason, spend reference or idempotency key"
    ordering = ("-id",)

    @admin.display(description="credits", ordering="credits")
    def signed_credits(self, entry: Entry) -> str:
        return f"{entry.credits:+,}"

    @admin.display(description="grant")
    def grant_link(self, entry: Entry) -> str:
        return link(entry.grant)

    @admin.display(description="why")
    def why(self, entry: Entry) -> str | None:
        return why(entry)


@admin.register(Wallet)
class WalletAdmin(LedgerAdmin):
    list_display = (
        "organization_link",
        "entry_seq",
        "last_entry_at",
        "bundle_week",
        "used_since_refill",
    )
    list_filter = ("used_since_refill", ORGANIZATION)
    ordering = ("organization",)
