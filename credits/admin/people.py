"""Memberships, changed through the same verbs as by customers; invitations and activity to read."""

from typing import Any

from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from credits import people
from credits.admin.base import DayRangeFilter, ModelAdmin, ReadOnlyAdmin, StaffRequest, label
from credits.models import Activity, Invitation, Membership
from credits.templatetags.people import told


class MembershipForm(ModelForm):  # type: ignore[type-arg]
    """Whose membership it is, and of what, is settled when it is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"user", "organization"} & set(self.fields):
            self.fields[name].disabled = self.instance.pk is not None


class MembershipsInline(TabularInline):
    model = Membership
    form = MembershipForm
    hide_title = True
    extra = 0


class ChangesMemberships(ModelAdmin):
    """A page that changes memberships; what the verbs refuse is told, and nothing is saved."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except people.PeopleError as refusal:
            return _refuse(request, refusal)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except people.PeopleError as refusal:
            return _refuse(request, refusal)

    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:
        """New ones first, then new owners, so that the last owner can be replaced in one go."""
        formset.save(commit=False)
        for membership in formset.new_objects:
            _add(request, membership)
        changed = [membership for membership, _ in formset.changed_objects]
        for membership in sorted(changed, key=lambda one: one.role != Membership.Role.OWNER):
            _change_role(request, membership)
        for membership in formset.deleted_objects:
            people.remove(membership, by=request.user, now=timezone.now())


def _refuse(request: HttpRequest, refusal: people.PeopleError) -> HttpResponse:
    messages.error(request, str(refusal))
    return HttpResponseRedirect(request.get_full_path())


def _add(request: StaffRequest, membership: Membership) -> None:
    added = people.add_member(
        membership.organization,
        membership.user,
        membership.role,
        by=request.user,
        now=timezone.now(),
    )
    membership.pk = added.pk


def _change_role(request: StaffRequest, membership: Membership) -> None:
    people.change_role(membership, membership.role, by=request.user, now=timezone.now())


@admin.register(Membership)
class MembershipAdmin(ChangesMemberships):
    form = MembershipForm
    list_display = ("user", "organization", "role", "created_at")
    list_filter = ("role", ("organization", AutocompleteSelectFilter))
    list_select_related = ("user", "organization")
    found_by = ("user", "organization")
    search_help_text = "Person, organization or its public id"
    autocomplete_fields = ("user", "organization")
    ordering = ("-pk",)
    sortable_by = ()

    def save_model(self, request: Any, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        save = _change_role if change else _add
        save(request, obj)

    def delete_model(self, request: Any, obj: Any) -> None:
        """Told in the organization's log too, where it is found when the row is gone."""
        people.remove(obj, by=request.user, now=timezone.now())
        self.log_change(request, obj.organization, f"Removed member {obj.user}.")


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ("email", "organization", "role", "status", "invited_by", "sent_at")
    list_filter = (("organization", AutocompleteSelectFilter), ("sent_at", DayRangeFilter))
    list_select_related = ("organization", "invited_by")
    found_by = ("email__exact", "organization")
    search_help_text = "Email address, organization or its public id"
    sortable_by = ()

    @admin.display(description="status")
    def status(self, invitation: Invitation) -> str:
        if invitation.accepted_at:
            return label("Accepted", "success")
        if invitation.withdrawn_at:
            return label("Withdrawn")
        is_expired = invitation.is_expired(timezone.now())
        return label("Expired", "danger") if is_expired else label("Open", "warning")


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "organization", "shown", "actor")
    list_filter = (("organization", AutocompleteSelectFilter), ("created_at", DayRangeFilter))
    list_select_related = ("organization", "actor")
    found_by = ("organization", "actor")
    search_help_text = "Organization, its public id or who did it"
    sortable_by = ()
    fields = ("organization", "shown", "actor", "created_at")
    readonly_fields = ("shown",)

    @admin.display(description="as customers read it")
    def shown(self, activity: Activity) -> str:
        return told(activity)
