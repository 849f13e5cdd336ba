"""What can be bought, what was bought, and what Stripe told about it."""

import json
import re

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from credits.admin.base import DayRangeFilter, ModelAdmin, ReadOnlyAdmin, link
from credits.models import Grant
from topups.models import Plan, Price, Purchase, StripeEvent


class MinorUnitsField(forms.IntegerField):
    """Refuses `10.00`, of which an `IntegerField` makes 10: a hundredth of what was meant."""

    re_decimal = re.compile(r"(?!)")  # What it would drop: nothing.
    default_error_messages = {
        "invalid": "Write minor units, a whole number without a point: 1000 is $10.00."
    }


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        field_classes = {"amount_minor": MinorUnitsField}


class PriceInline(TabularInline):
    model = Price
    form = PriceForm
    extra = 0
    min_num = 1


@admin.register(Plan)
class PlanAdmin(ModelAdmin):
    inlines = (PriceInline,)
    list_display = ("name", "credits", "shown_prices", "position", "is_active")
    list_filter = ("is_active", "prices__currency")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        return super().get_queryset(request).prefetch_related("prices")

    @admin.display(description="prices")
    def shown_prices(self, plan: Plan) -> str:
        return ", ".join(str(price) for price in plan.prices.all())

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only a plan that nobody bought; the others are no longer offered."""
        unsold = not (isinstance(obj, Plan) and obj.purchases.exists())
        return unsold and super().has_delete_permission(request, obj)


@admin.register(Purchase)
class PurchaseAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "organization_link",
        "credits",
        "price",
        "shown_status",
        "paid_at",
        "buyer",
    )
    list_filter = (
        "status",
        "plan",
        ("organization", AutocompleteSelectFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("organization", "buyer")
    search_fields = (
        "organization__name",
        "organization__public_id__exact",
        "buyer__email",
        "id__exact",
        "stripe_session_id__exact",
        "stripe_payment_intent_id__exact",
    )
    search_help_text = "Organization, its public id, buyer, purchase id or an id of Stripe's"
    fields = (
        "id",
        "organization_link",
        "buyer",
        "plan",
        "credits",
        "price",
        "shown_status",
        "grant",
        "stripe_session_id",
        "stripe_payment_intent_id",
        "created_at",
        "paid_at",
        "next_check_at",
    )
    readonly_fields = ("organization_link", "price", "shown_status", "grant")

    @admin.display(description="organization", ordering="organization__name")
    def organization_link(self, purchase: Purchase) -> str:
        return link(purchase.organization)

    @display(
        description="status",
        ordering="status",
        label={"paid": "success", "pending": "warning"},
    )
    def shown_status(self, purchase: Purchase) -> str:
        return purchase.status

    @admin.display(description="credits granted")
    def grant(self, purchase: Purchase) -> str:
        return link(Grant.objects.filter(purchase_id=purchase.pk).first())


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "type", "event_id", "shown_status", "attempts", "error")
    list_filter = ("status", "type", ("received_at", DayRangeFilter))
    search_fields = ("event_id__exact", "type")
    search_help_text = "Event id or type"
    fields = (
        "event_id",
        "type",
        "shown_status",
        "error",
        "attempts",
        "received_at",
        "processed_at",
        "next_attempt_at",
        "shown_payload",
    )
    readonly_fields = ("shown_status", "shown_payload")

    @display(
        description="status",
        ordering="status",
        label={"processed": "success", "failed": "danger", "rejected": "danger"},
    )
    def shown_status(self, event: StripeEvent) -> str:
        return event.status

    @admin.display(description="payload")
    def shown_payload(self, event: StripeEvent) -> str:
        return format_html("<pre>{}</pre>", json.dumps(event.payload, indent=2, ensure_ascii=False))
