"""Filters of change lists that no field gives by itself; the dashboard's numbers lead to them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from credits import figures
from credits.models import Action, Grant, Service


class OfferedFilter(admin.SimpleListFilter):
    """With a value only if it is one of its choices: what else an address says filters nothing."""

    def value(self) -> str | None:
        chosen = super().value()
        return chosen if chosen in {str(key) for key, _ in self.lookup_choices} else None


class FoundFilter(OfferedFilter):
    """All rows, or those that are among `rows`."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(pk__in=self.rows().values("pk")) if self.value() else queryset

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError


class OutOfCreditsFilter(FoundFilter):
    """Organizations that are out of credits now."""

    title = "out of credits"
    parameter_name = "out_of_credits"

    def rows(self) -> QuerySet[Any]:
        return figures.out_of_credits(now=timezone.now())


class FailingFilter(FoundFilter):
    """Emails that failed and are tried again."""

    title = "failing"
    parameter_name = "failing"

    def rows(self) -> QuerySet[Any]:
        return figures.failing_emails()


class GrantKindFilter(OfferedFilter, DropdownFilter):
    """Entries in grants of one kind."""

    title = "grant"
    parameter_name = "grant_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in Grant.Kind.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        kind = self.value()
        return queryset.filter(grant__kind=kind) if kind else queryset


class ServiceFilter(OfferedFilter, DropdownFilter):
    """Entries of the spends of one service."""

    title = "service"
    parameter_name = "service"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(service.pk), service.name) for service in Service.objects.all()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        service = self.value()
        if not service:
            return queryset
        actions = Action.objects.filter(service_id=service).values("pk")
        return queryset.filter(spend__action__in=actions)
