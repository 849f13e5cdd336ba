"""Refunds and disputes of all purchases: what Stripe last told of each."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action

from credits.admin.base import DayRangeFilter, ReadOnlyAdmin, StaffRequest, change_url, link
from credits.admin.filters import OfferedFilter
from credits.admin.offering import OffersActions
from topups import refunds
from topups.admin.filters import CurrencyOfPurchaseFilter
from topups.admin.refunding import tell
from topups.admin.states import dispute_label, refund_label
from topups.models import Dispute, PaymentRefund

OF_PURCHASE = (
    "purchase__exact",
    "purchase__stripe_payment_intent_id__exact",
    "purchase__organization",
)
ORGANIZATION = ("purchase__organization", AutocompleteSelectFilter)
CREATED = ("created_at", DayRangeFilter)


class MoneyBackAdmin(ReadOnlyAdmin):
    sortable_by = ("created_at",)

    @admin.display(description="organization")
    def organization_link(self, row: PaymentRefund | Dispute) -> str:
        return link(row.purchase.organization)

    @admin.display(description="purchase")
    def purchase_link(self, row: PaymentRefund | Dispute) -> str:
        return link(row.purchase)

    @admin.display(description="amount")
    def shown_amount(self, row: PaymentRefund | Dispute) -> str:
        return row.amount


@admin.register(PaymentRefund)
class PaymentRefundAdmin(OffersActions, MoneyBackAdmin):
    list_display = (
        "created_at",
        "organization_link",
        "purchase_link",
        "shown_amount",
        "shown_status",
        "requested_by",
        "reason",
    )
    list_filter = ("status", CurrencyOfPurchaseFilter, ORGANIZATION, CREATED)
    list_select_related = ("purchase__organization", "requested_by")
    found_by = ("id__exact", "stripe_refund_id__exact", *OF_PURCHASE)
    search_help_text = "Organization, its public id, purchase id or an id of Stripe's"
    fields = (
        "id",
        "purchase_link",
        "organization_link",
        "shown_amount",
        "shown_status",
        "requested_by",
        "reason",
        "stripe_refund_id",
        "error",
        "attempts",
        "created_at",
        "as_of",
        "next_attempt_at",
    )
    readonly_fields = ("purchase_link", "organization_link", "shown_amount", "shown_status")
    actions_detail = ("send_now",)

    @admin.display(description="status")
    def shown_status(self, refund: PaymentRefund) -> str:
        return refund_label(refund)

    def has_refund_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("topups.refund_purchase")

    def sensible(self, obj: PaymentRefund) -> set[str]:
        return {"send_now"} if obj.is_requested else set()

    @action(
        description="Try again now",
        icon="sync",
        permissions=["view", "refund"],
    )
    def send_now(self, request: StaffRequest, object_id: str) -> HttpResponse:
        refund = self.object_or_404(request, object_id)
        question = self.confirmation(
            request,
            refund,
            title=f"Ask Stripe again for the refund of {refund.amount}?",
            text="However often Stripe is asked, it gives the money back once.",
            button="Try again now",
            variant="primary",
        )
        return question or self._send(request, refund)

    def _send(self, request: StaffRequest, refund: PaymentRefund) -> HttpResponse:
        is_new = refund.is_requested
        if is_new:
            refund = refunds.send(refund, now=timezone.now())
            state = refund.get_status_display().lower()
            log = f"Asked Stripe again for the refund of {refund.amount}: {state}."
            self.log_change(request, refund.purchase, log)
        tell(request, refund, is_new=is_new)
        return HttpResponseRedirect(change_url(refund))


class NeedsAnswerFilter(OfferedFilter):
    title = "needs an answer"
    parameter_name = "needs_answer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Needs an answer")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status__endswith="needs_response") if self.value() else queryset


@admin.register(Dispute)
class DisputeAdmin(MoneyBackAdmin):
    list_display = (
        "created_at",
        "organization_link",
        "purchase_link",
        "shown_amount",
        "shown_status",
        "reason",
        "respond_by",
    )
    list_filter = (
        NeedsAnswerFilter,
        "status",
        "is_withdrawn",
        CurrencyOfPurchaseFilter,
        ORGANIZATION,
        CREATED,
    )
    list_select_related = ("purchase__organization",)
    found_by = ("stripe_dispute_id__exact", *OF_PURCHASE)
    search_help_text = "Organization, its public id, purchase id or an id of Stripe's"
    fields = (
        "stripe_dispute_id",
        "purchase_link",
        "organization_link",
        "shown_amount",
        "shown_status",
        "is_withdrawn",
        "reason",
        "respond_by",
        "created_at",
        "as_of",
    )
    readonly_fields = ("purchase_link", "organization_link", "shown_amount", "shown_status")

    @admin.display(description="status")
    def shown_status(self, dispute: Dispute) -> str:
        return dispute_label(dispute)
