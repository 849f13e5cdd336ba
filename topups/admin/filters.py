"""Filters of purchases and of money back that no field gives by itself."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from credits.admin.filters import FoundFilter, OfferedFilter
from topups import figures
from topups.money import CURRENCIES


class StuckFilter(FoundFilter):
    """Purchases whose checks fail, or that should have been decided long ago."""

    title = "stuck"
    parameter_name = "stuck"

    def rows(self) -> QuerySet[Any]:
        return figures.stuck(now=timezone.now())


class CurrencyFilter(OfferedFilter, DropdownFilter):
    title = "currency"
    parameter_name = "currency"
    field = "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(currency, currency.upper()) for currency in sorted(CURRENCIES)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        currency = self.value()
        return queryset.filter(**{self.field: currency}) if currency else queryset


class CurrencyOfPurchaseFilter(CurrencyFilter):
    field = "purchase__currency"
