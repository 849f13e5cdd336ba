"""The ledger: read here by everybody, written here by nobody."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action

from credits import reports
from credits.admin import explaining, returning
from credits.admin.base import ChangeList, DayRangeFilter, StaffRequest, link
from credits.admin.filters import GrantKindFilter, ServiceFilter
from credits.admin.newest import NewestFirstAdmin, days_of
from credits.admin.offering import OffersActions
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
class GrantAdmin(OffersActions, LedgerAdmin):
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
    actions_detail = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("credits.adjust_credits")

    def sensible(self, obj: Grant) -> set[str]:
        return set() if returning.why_not_revocable(obj, timezone.now()) else {"revoke"}

    @action(description="Revoke", icon="remove_circle", permissions=["view", "revoke"])
    def revoke(self, request: StaffRequest, object_id: str) -> HttpResponse:
        return returning.revoke_view(self, request, self.object_or_404(request, object_id))

    def get_readonly_fields(
        self, request: HttpRequest, obj: Grant | None = None
    ) -> tuple[str, ...]:
        return ("money_back",) if obj and money_back(obj) else ()

    @admin.display(description="money back")
    def money_back(self, grant: Grant) -> str:
        return money_back(grant)


@admin.register(Spend)
class SpendAdmin(OffersActions, LedgerAdmin):
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
    actions_detail = ("explain", "refund", "release")

    def has_explain_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perms(explaining.SPEND_PERMISSIONS)

    def has_refund_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("credits.refund_spend")

    def has_release_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("credits.release_hold")

    def sensible(self, obj: Spend) -> set[str]:
        why_not = {
            "explain": None,
            "refund": returning.why_not_refundable(obj),
            "release": returning.why_not_releasable(obj, timezone.now()),
        }
        return {name for name, reason in why_not.items() if not reason}

    @action(description="Explain", icon="manage_search", permissions=["explain"])
    def explain(self, request: StaffRequest, object_id: str) -> HttpResponse:
        return explaining.explain_spend_view(self, request, self.object_or_404(request, object_id))

    @action(description="Refund", icon="undo", permissions=["view", "refund"])
    def refund(self, request: StaffRequest, object_id: str) -> HttpResponse:
        return returning.refund_view(self, request, self.object_or_404(request, object_id))

    @action(description="Release", icon="lock_open", permissions=["view", "release"])
    def release(self, request: StaffRequest, object_id: str) -> HttpResponse:
        return returning.release_view(self, request, self.object_or_404(request, object_id))


@admin.register(Refund)
class RefundAdmin(LedgerAdmin):
    list_display = (
        "created_at",
        "organization_link",
        "spend_link",
        "credits",
        "refunded_after",
        "actor",
        "reason",
    )
    list_select_related = ("organization", "spend__action", "actor")
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
    list_filter = ("kind", GrantKindFilter, ServiceFilter, ORGANIZATION, CREATED)
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
