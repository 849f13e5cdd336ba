"""The ledger: read here by everybody, written here by nobody."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from credits import reports
from credits.admin.base import ChangeList, DayRangeFilter, link
from credits.admin.newest import NewestFirstAdmin, days_of
from credits.admin.overview import money_back, why
from credits.admin.searching import NOT_FOUND, OF_ORGANIZATION
from credits.models import Entry, Grant, Refund, Spend, Wallet

ORGANIZATION = ("organization", AutocompleteSelectFilter)
CREATED = ("created_at", DayRangeFilter)
BY_REFERENCE = (
    f"{NOT_FOUND} References and idempotency keys are searched on an organization's page."
)


class LedgerAdmin(NewestFirstAdmin):
    list_select_related: tuple[str, ...] = ("organization",)
    list_filter: tuple[Any, ...] = (ORGANIZATION, CREATED)
    found_by: tuple[str, ...] = ("organization",)
    search_help_text = OF_ORGANIZATION

    @admin.display(description="organization")
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
    list_filter = ("kind", ("is_open", admin.BooleanFieldListFilter), ORGANIZATION, CREATED)
    found_by = ("id__exact", "purchase_id__exact", "organization")
    search_help_text = "Organization, its public id, grant or purchase id"
    by_organization = ("-organization_id", "-created_at", "-id")
    ordinary = ("kind__exact", Grant.Kind.WEEKLY)

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
    found_by = ("id__exact", "organization")
    search_help_text = "Organization, its public id or spend id"
    not_found = BY_REFERENCE
    ordinary = ("status__exact", Spend.Status.SPENT)


@admin.register(Refund)
class RefundAdmin(LedgerAdmin):
    list_display = ("created_at", "organization_link", "spend_link", "credits", "refunded_after")
    list_select_related = ("organization", "spend__action")
    found_by = ("id__exact", "spend__exact", "organization")
    search_help_text = "Organization, its public id, refund or spend id"
    not_found = BY_REFERENCE

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
    list_filter = ("kind", ORGANIZATION, CREATED)
    list_select_related = ("organization", "grant", "spend__action", "actor")
    found_by = ("spend__exact", "grant__exact", "organization")
    search_help_text = "Organization, its public id, spend or grant id"
    not_found = BY_REFERENCE
    by_organization = ("-organization_id", "-seq")
    ordinary = ("kind__exact", Entry.Kind.SPEND)

    def arranged(self, found: QuerySet[Entry], changelist: ChangeList) -> QuerySet[Entry]:
        """Days of one organization are a range of its numbers, which its index has."""
        organization, days = changelist.params.get("organization__id__exact"), days_of(changelist)
        if organization and days:
            numbers = [reports.first_entry_since(int(organization), moment) for moment in days]
            found = found.filter(seq__range=numbers)
        return super().arranged(found, changelist)

    @admin.display(description="credits")
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
    by_organization = ("-pk",)
