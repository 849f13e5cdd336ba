"""Purchases: the list, and everything about one of them on one page."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Greatest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action
from unfold.enums import ActionVariant

from credits.admin.base import (
    DayRangeFilter,
    ReadOnlyAdmin,
    StaffRequest,
    change_url,
    link,
)
from credits.admin.filters import OfferedFilter
from credits.models import Clawback
from topups import checkout, gateway, refunds
from topups.admin.collecting import collect_view, shortfall_of
from topups.admin.details import Details
from topups.admin.filters import CurrencyFilter, StuckFilter
from topups.admin.refunding import refund_view, why_not_refundable
from topups.admin.states import money_back_labels, purchase_label
from topups.fulfillment import Unfulfillable
from topups.models import BillingAccount, Dispute, PaymentRefund, Purchase
from topups.money import format_amount

SHORTFALL = Greatest(F("revoke_credits") - F("revoked_credits") - F("collected_credits"), 0)


class ShortfallFilter(OfferedFilter):
    title = "shortfall"
    parameter_name = "shortfall"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Has shortfall")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        short = Clawback.objects.annotate(short=SHORTFALL).filter(short__gt=0)
        return queryset.filter(pk__in=short.values("grant__purchase_id"))


class MoneyBackFilter(OfferedFilter):
    title = "money back"
    parameter_name = "money_back"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("refunded", "Refunded"),
            ("requested", "Refund requested"),
            ("disputed", "Disputed"),
            ("lost", "Dispute lost"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        refunds, disputes = PaymentRefund.objects.all(), Dispute.objects.all()
        lost = Q(status="lost") | Q(status="prevented", is_withdrawn=True)
        found = {
            "refunded": refunds.filter(status__in=PaymentRefund.GIVEN),
            "requested": refunds.filter(status=PaymentRefund.Status.REQUESTED),
            "disputed": disputes.filter(status__in=Dispute.UNSETTLED),
            "lost": disputes.filter(lost),
        }.get(self.value() or "")
        return queryset if found is None else queryset.filter(pk__in=found.values("purchase"))


@admin.register(Purchase)
class PurchaseAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "organization_link",
        "shown_credits",
        "shown_paid",
        "shown_status",
        "money_back",
        "shortfall",
        "buyer",
    )
    list_filter = (
        "status",
        MoneyBackFilter,
        ShortfallFilter,
        StuckFilter,
        "plan",
        CurrencyFilter,
        ("organization", AutocompleteSelectFilter),
        ("created_at", DayRangeFilter),
        ("paid_at", DayRangeFilter),
    )
    list_select_related = ("organization", "buyer")
    found_by = (
        "id__exact",
        "stripe_session_id__exact",
        "stripe_payment_intent_id__exact",
        "organization",
        "buyer",
    )
    search_help_text = "Organization, its public id, buyer, purchase id or an id of Stripe's"
    sortable_by = ("created_at",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("organization_link", "buyer"),
                    ("plan", "shown_credits"),
                    ("shown_status", "money_back"),
                    ("created_at", "paid_at"),
                )
            },
        ),
        ("Money", {"fields": (("price", "discount", "tax"), ("paid", "refundable"))}),
        (
            "Stripe",
            {
                "fields": (
                    "billing_account",
                    "id",
                    "stripe_session_id",
                    "stripe_payment_intent_id",
                    ("next_check_at", "failed_checks"),
                    "check_error",
                )
            },
        ),
    )
    readonly_fields = (
        "organization_link",
        "shown_credits",
        "shown_status",
        "money_back",
        "price",
        "discount",
        "tax",
        "paid",
        "refundable",
        "billing_account",
    )
    actions_detail = ("refund", "collect", "check_now")
    change_form_outer_before_template = "admin/topups/purchase/warnings.html"
    change_form_outer_after_template = "admin/topups/purchase/details.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Purchase]:
        clawbacks = Clawback.objects.filter(grant__purchase_id=OuterRef("pk"))
        shortfall = clawbacks.annotate(short=SHORTFALL).values("short")
        purchases = super().get_queryset(request).annotate(short=Subquery(shortfall))
        return purchases.prefetch_related("refunds", "disputes")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        purchase = self.get_object(request, object_id)
        details = purchase and Details(purchase)
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "details": details}
        )

    def has_refund_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("topups.refund_purchase")

    def has_collect_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("credits.adjust_credits")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """All that are allowed and make sense now."""
        purchase = self.get_object(request, object_id)
        if purchase is None:
            return []
        sensible = {
            "topups_purchase_refund": bool(refunds.refundable_minor(purchase)),
            "topups_purchase_collect": bool(shortfall_of(purchase)),
            "topups_purchase_check_now": not purchase.is_decided,
        }
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if sensible[action.action_name]]

    @action(
        description="Refund",
        icon="undo",
        permissions=["view", "refund"],
        variant=ActionVariant.PRIMARY,
    )
    def refund(self, request: StaffRequest, object_id: str) -> HttpResponse:
        return refund_view(self, request, self.object_or_404(request, object_id))

    @action(
        description="Take from other credits",
        icon="remove_shopping_cart",
        permissions=["view", "collect"],
    )
    def collect(self, request: StaffRequest, object_id: str) -> HttpResponse:
        return collect_view(self, request, self.object_or_404(request, object_id))

    @action(description="Check with Stripe now", icon="sync", permissions=["view"])
    def check_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """For all who may read: it brings nothing but what Stripe says, as the sweep does."""
        purchase = self.object_or_404(request, object_id)
        question = self.confirmation(
            request,
            purchase,
            title=f"Check {purchase} with Stripe?",
            text="Stripe is asked how this payment stands. If it is paid, its credits are given; "
            "nothing is charged.",
            button="Check now",
            variant="primary",
        )
        return question or self._check(request, purchase)

    def _check(self, request: HttpRequest, purchase: Purchase) -> HttpResponse:
        try:
            purchase = checkout.check(purchase, now=timezone.now())
        except gateway.PaymentServiceUnavailable:
            told = "Stripe cannot be reached just now; it is asked again by itself."
            messages.warning(request, told)
        except (gateway.GatewayError, Unfulfillable) as error:
            messages.error(request, f"What Stripe says does not fit this purchase: {error}")
        else:
            state = purchase.get_status_display().lower()
            self.log_change(request, purchase, f"Checked with Stripe: {state}.")
            messages.success(request, f"Asked Stripe: this purchase is {state}.")
        return HttpResponseRedirect(change_url(purchase))

    @admin.display(description="organization")
    def organization_link(self, purchase: Purchase) -> str:
        return link(purchase.organization)

    @admin.display(description="credits")
    def shown_credits(self, purchase: Purchase) -> str:
        return f"{purchase.credits:,}"

    @admin.display(description="paid")
    def shown_paid(self, purchase: Purchase) -> str | None:
        return purchase.paid if purchase.is_paid else None

    @admin.display(description="status")
    def shown_status(self, purchase: Purchase) -> str:
        return purchase_label(purchase)

    @admin.display(description="money back")
    def money_back(self, purchase: Purchase) -> str | None:
        return money_back_labels(purchase)

    @admin.display(description="shortfall")
    def shortfall(self, purchase: Purchase) -> str | None:
        short: int | None = purchase.short  # type: ignore[attr-defined]
        return f"{short:,}" if short else None

    @admin.display(description="discount")
    def discount(self, purchase: Purchase) -> str:
        return format_amount(purchase.discount_minor, purchase.currency)

    @admin.display(description="tax")
    def tax(self, purchase: Purchase) -> str:
        return format_amount(purchase.tax_minor, purchase.currency)

    @admin.display(description="paid")
    def paid(self, purchase: Purchase) -> str:
        return purchase.paid if purchase.is_paid else "Not paid"

    @admin.display(description="can be refunded")
    def refundable(self, purchase: Purchase) -> str:
        left = format_amount(refunds.refundable_minor(purchase), purchase.currency)
        return why_not_refundable(purchase) or left

    @admin.display(description="billing account")
    def billing_account(self, purchase: Purchase) -> str:
        if account := BillingAccount.objects.filter(pk=purchase.organization_id).first():
            return link(account)
        add_url = reverse("admin:topups_billingaccount_add")
        return format_html(
            '<a class="text-link" href="{}?organization={}">None yet: choose its currency</a>',
            add_url,
            purchase.organization_id,
        )
