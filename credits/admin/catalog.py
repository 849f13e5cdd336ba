"""Services, their actions and prices, and the words customers read."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import TabularInline

from credits.admin.base import ModelAdmin
from credits.models import Action, Service, Wording


class ActionInline(TabularInline):
    model = Action
    fields = ("code", "name", "credits", "is_active")
    readonly_fields = ("code",)
    extra = 0
    can_delete = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Service)
class ServiceAdmin(ModelAdmin):
    list_display = ("name", "action_codes")
    search_fields = ("name",)
    inlines = (ActionInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Service]:
        return super().get_queryset(request).prefetch_related("actions")

    @admin.display(description="actions")
    def action_codes(self, service: Service) -> str:
        return ", ".join(action.code for action in service.actions.all()) or "-"


@admin.register(Action)
class ActionAdmin(ModelAdmin):
    list_display = ("code", "name", "service", "credits", "is_active")
    list_filter = ("is_active", "service")
    list_select_related = ("service",)
    search_fields = ("code", "name", "service__name")
    fields = ("service", "code", "name", "credits", "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: spends and restricted keys name it. What is sold no more is made inactive."""
        return False


@admin.register(Wording)
class WordingAdmin(ModelAdmin):
    """The one row there is: its list is its form."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse("admin:credits_wording_change", args=[1]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
