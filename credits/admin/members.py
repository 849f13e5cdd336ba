"""The people and keys of an organization, on a tab of its page; its memberships change here."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from credits import people
from credits.admin import tabs
from credits.admin.base import StaffRequest, key_status, label, link
from credits.admin.people import MembershipsInline
from credits.admin.tables import table
from credits.models import Activity, ApiKey, Invitation, Organization, User
from credits.templatetags.people import told

if TYPE_CHECKING:
    from credits.admin.organizations import OrganizationAdmin

MOST_ROWS = 20


class MemberInline(MembershipsInline):
    verbose_name = "member"
    verbose_name_plural = "members"
    autocomplete_fields = ("user",)
    fields = ("user", "role")


def is_shown(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.url_name == TAB.url_name


class Surroundings:
    """What stands below the members, each part for who may see it."""

    def __init__(self, organization: Organization, user: User, now: datetime) -> None:
        self.organization = organization
        self.user = user
        self.now = now

    @property
    def invitations(self) -> dict[str, Any] | None:
        if not self.user.has_perm("credits.view_invitation"):
            return None
        found = people.open_invitations(self.organization).select_related("invited_by")
        rows = (_invitation_row(invitation, self.now) for invitation in found)
        return table(("Address", "Role", "Status", "Invited by", "Sent", "Expires"), rows)

    @property
    def api_keys(self) -> dict[str, Any] | None:
        if not self.user.has_perm("credits.view_apikey"):
            return None
        rows = (self._key_row(key) for key in self.organization.api_keys.all())
        return table(("Name", "Key", "Status", "Expires", "Last used", "Do"), rows)

    @property
    def activities(self) -> dict[str, Any] | None:
        if not self.user.has_perm("credits.view_activity"):
            return None
        found = self.organization.activities.select_related("actor")[:MOST_ROWS]
        return table(("When", "Told as", "Who"), map(_activity_row, found))

    def _key_row(self, key: ApiKey) -> list[Any]:
        change = "credits.change_apikey"
        return [
            link(key, key.name),
            f"{key.prefix}…",
            key_status(key, self.now),
            key.expires_at or "Never",
            key.last_used_at or "Never",
            ""
            if key.revoked_at
            else tabs.way(self.user, "Revoke", "credits_apikey_revoke", key.pk, change),
        ]


def _invitation_row(invitation: Invitation, now: datetime) -> list[Any]:
    is_expired = invitation.is_expired(now)
    return [
        link(invitation, invitation.email),
        invitation.get_role_display(),
        label("Expired", "danger") if is_expired else label("Open", "warning"),
        invitation.invited_by,
        invitation.sent_at,
        invitation.expires_at,
    ]


def _activity_row(activity: Activity) -> list[Any]:
    return [activity.created_at, told(activity), activity.actor]


def show(
    model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
) -> HttpResponse:
    """The change form with its memberships alone, saved as the others are."""
    around = Surroundings(organization, request.user, timezone.now())
    return model_admin.changeform_view(
        request,
        str(organization.pk),
        extra_context={
            "around": around,
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
        },
    )


TAB = tabs.Tab("members", "Members and keys", ("credits.view_membership",), show)
