"""Organizations: the list, the settings of one, and what is done to it."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from credits import activity, ledger, reports
from credits.activity import Kind
from credits.admin import activity as activity_tab
from credits.admin import adjusting, explaining, members, notes, searching, staff_history, tabs
from credits.admin.base import StaffRequest
from credits.admin.filters import OfferedFilter, OutOfCreditsFilter
from credits.admin.overview import Overview, chosen_days
from credits.admin.people import ChangesMemberships
from credits.models import Organization, User

OVERVIEW = tabs.Tab("change", "Overview", ("credits.view_organization",))
for tab in (OVERVIEW, activity_tab.TAB, members.TAB, notes.TAB, staff_history.TAB):
    tabs.register(tab)


class SuspendedFilter(OfferedFilter):
    title = "suspended"
    parameter_name = "suspended"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(suspended_at__isnull=self.value() == "no")


@admin.register(Organization)
class OrganizationAdmin(ChangesMemberships):
    list_display = ("name", "public_id", "balance", "weekly_bundle", "next_refill", "status")
    list_filter = (SuspendedFilter, OutOfCreditsFilter, "show_balance")
    search_fields = found_by = ("name", "public_id")
    search_help_text = "Name, public id or a member's email address"
    sortable_by = ("name",)
    fields = ("name", "weekly_credits", "show_balance", "low_balance_credits")
    readonly_fields = ("low_balance_credits",)
    actions_detail = ("adjust", "explain", "suspend", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        return super().get_queryset(request).annotate(available=reports.Available(timezone.now()))

    def found(
        self, queryset: QuerySet[Organization], term: str
    ) -> tuple[QuerySet[Organization], bool]:
        return searching.first_of(queryset, searching.organizations(term))

    @display(description="balance")
    def balance(self, organization: Organization) -> str:
        return f"{organization.available:,}"  # type: ignore[attr-defined]

    @display(description="weekly bundle")
    def weekly_bundle(self, organization: Organization) -> str:
        return f"{organization.weekly_credits:,}"

    @display(description="next refill")
    def next_refill(self, organization: Organization) -> Any:
        return ledger.next_refill_at(timezone.now()) if organization.weekly_credits else None

    @display(
        description="status",
        label={"Active": "success", "Suspended": "danger"},
    )
    def status(self, organization: Organization) -> str:
        return "Suspended" if organization.is_suspended else "Active"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: its ledger stays. An organization that is done is suspended."""
        return False

    def has_adjust_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("credits.adjust_credits")

    def has_explain_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perms(explaining.ORGANIZATION_PERMISSIONS)

    def get_urls(self) -> list[URLPattern]:
        return [*tabs.urls(self), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return () if members.is_shown(request) else super().get_fieldsets(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> Any:
        return (members.MemberInline,) if members.is_shown(request) else ()

    def change_view(
        self,
        request: StaffRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        days, now = chosen_days(request), timezone.now()
        organization = self.get_object(request, object_id)
        shown = {
            "overview": organization and Overview(organization, request.user, days=days, now=now),
            "show_save_and_add_another": False,
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def render_change_form(
        self, request: Any, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the head and the bar of all tabs; unfold's own place for actions stays empty."""
        if organization := context["original"]:
            context |= tabs.frame(self, request, organization)
            context["actions_detail"] = []
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_change(self, request: HttpRequest, obj: Model) -> HttpResponse:
        if members.is_shown(request):
            return HttpResponseRedirect(request.path)
        return super().response_post_save_change(request, obj)

    def save_model(self, request: Any, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        now = timezone.now()
        if change and "weekly_credits" in form.changed_data:
            ledger.change_bundle(obj, obj.weekly_credits, now=now)
        super().save_model(request, obj, form, change)
        for name in form.changed_data if change else ():
            _record(obj, name, form.initial[name], actor=request.user, now=now)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """All that are allowed, less the one of suspend and resume that makes no sense now."""
        suspended = self.with_id(object_id).filter(suspended_at__isnull=False).exists()
        idle = "credits_organization_" + ("suspend" if suspended else "resume")
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.action_name != idle]

    @action(
        description="Adjust credits",
        icon="exposure",
        permissions=["adjust"],
        variant=ActionVariant.PRIMARY,
    )
    def adjust(self, request: StaffRequest, object_id: str) -> HttpResponse:
        return adjusting.adjust_view(self, request, self.object_or_404(request, object_id))

    @action(description="Explain", icon="manage_search", permissions=["explain"])
    def explain(self, request: StaffRequest, object_id: str) -> HttpResponse:
        organization = self.object_or_404(request, object_id)
        return explaining.explain_organization_view(self, request, organization)

    @action(description="Suspend", icon="block", permissions=["change"])
    def suspend(self, request: StaffRequest, object_id: str) -> HttpResponse:
        organization = self.object_or_404(request, object_id)
        question = self.confirmation(
            request,
            organization,
            title=f"Suspend {organization}?",
            text="Its spends and holds will be refused until it is resumed. Nothing else changes: "
            "credits stay, free credits keep coming and members can still sign in.",
            button="Suspend",
        )
        return question or self._set_suspended(request, organization, timezone.now(), "Suspended")

    @action(description="Resume", icon="play_circle", permissions=["change"])
    def resume(self, request: StaffRequest, object_id: str) -> HttpResponse:
        organization = self.object_or_404(request, object_id)
        question = self.confirmation(
            request,
            organization,
            title=f"Resume {organization}?",
            text="It will be able to spend its credits again, at once.",
            button="Resume",
        )
        return question or self._set_suspended(request, organization, None, "Resumed")

    def _set_suspended(
        self, request: StaffRequest, organization: Organization, at: datetime | None, done: str
    ) -> HttpResponse:
        was_suspended, organization.suspended_at = organization.is_suspended, at
        with transaction.atomic():
            organization.save(update_fields=["suspended_at"])
            if organization.is_suspended != was_suspended:
                kind = Kind.SUSPENDED if at else Kind.RESUMED
                activity.record(organization, kind, actor=request.user, now=timezone.now())
        return self.done(request, organization, done)


def _record(
    organization: Organization, setting: str, before: Any, *, actor: User, now: datetime
) -> None:
    """Note in the activity list that staff changed a setting from what it was before."""
    if setting == "name":
        kind, facts = Kind.RENAMED, {"before": before, "name": organization.name}
    elif setting == "weekly_credits":
        kind, facts = (
            Kind.BUNDLE_CHANGED,
            {"before": before, "credits": organization.weekly_credits},
        )
    elif setting == "show_balance":
        kind, facts = (Kind.BALANCE_SHOWN if organization.show_balance else Kind.BALANCE_HIDDEN), {}
    else:
        return
    activity.record(organization, kind, actor=actor, now=now, **facts)
