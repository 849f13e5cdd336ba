"""What can be bought, and in which currency an organization buys."""

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminSelectWidget

from credits.admin.base import ModelAdmin, link
from credits.admin.filters import OfferedFilter
from topups.models import BillingAccount, Plan, Price
from topups.money import CURRENCIES


class MinorUnitsField(forms.IntegerField):
    """Refuses `10.00`, of which an `IntegerField` makes 10: a hundredth of what was meant."""

    re_decimal = re.compile(r"(?!)")  # What it would drop: nothing.
    default_error_messages = {
        "invalid": "Write minor units, a whole number without a point: 1000 is $10.00."
    }


class CurrencyForm(forms.ModelForm):  # type: ignore[type-arg]
    currency = forms.ChoiceField(
        choices=[(currency, currency.upper()) for currency in sorted(CURRENCIES)],
        widget=UnfoldAdminSelectWidget,
    )


class PriceForm(CurrencyForm):
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
    fieldsets = (
        (
            None,
            {
                "fields": ("name", "credits", "is_active", "position"),
                "description": "Changes count for purchases to come. What was bought before keeps "
                "its credits and its price, and a checkout that is open is paid as it was opened.",
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        return super().get_queryset(request).prefetch_related("prices")

    @admin.display(description="prices")
    def shown_prices(self, plan: Plan) -> str:
        return ", ".join(str(price) for price in plan.prices.all())

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only a plan that nobody bought; the others are no longer offered."""
        unsold = not (isinstance(obj, Plan) and obj.purchases.exists())
        return unsold and super().has_delete_permission(request, obj)


class CurrencyFilter(OfferedFilter):
    """By one of the currencies that plans have a price in, which are few to look up."""

    title = "currency"
    parameter_name = "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        currencies = Price.objects.order_by("currency").values_list("currency", flat=True)
        return [(currency, currency.upper()) for currency in currencies.distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(currency=self.value()) if self.value() else queryset


@admin.register(BillingAccount)
class BillingAccountAdmin(ModelAdmin):
    form = CurrencyForm
    list_display = ("organization", "shown_currency", "stripe_customer_id", "email")
    list_filter = (CurrencyFilter,)
    list_select_related = ("organization",)
    found_by = ("stripe_customer_id__exact", "email__exact", "organization")
    search_help_text = "Organization, its public id, Stripe customer id or email address"
    sortable_by = ()
    ordering = ("-pk",)
    autocomplete_fields = ("organization",)
    told = ("stripe_customer_id", "email")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return (
            ("organization_link", "currency", *self.told) if obj else ("organization", "currency")
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return ("organization_link", *self.told) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: the organization would be a new customer at Stripe with its next purchase."""
        return False

    def save_model(
        self, request: HttpRequest, obj: Any, form: "forms.ModelForm[Any]", change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if not Price.objects.filter(currency=obj.currency, plan__is_active=True).exists():
            currency = obj.currency.upper()
            unsold = f"No plan has a price in {currency} yet: {obj.organization} finds none to buy."
            messages.warning(request, unsold)

    @admin.display(description="organization")
    def organization_link(self, account: BillingAccount) -> str:
        return link(account.organization)

    @admin.display(description="currency")
    def shown_currency(self, account: BillingAccount) -> str:
        return account.currency.upper()
