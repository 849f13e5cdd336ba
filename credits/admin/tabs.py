"""The page of an organization: a head, a bar of tabs, and one page with its own address for each.

Another app adds a tab of its own with `register`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from credits.admin.base import COUNTED_ROWS, StaffRequest
from credits.models import Grant, Organization, User

if TYPE_CHECKING:
    from credits.admin.organizations import OrganizationAdmin

ROWS_PER_PAGE = 50

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Tab:
    """`show` answers for it, after its permissions were checked; its address ends in its `slug`.

    None shows the one that Django has at this address anyway.
    """

    slug: str
    title: str
    permissions: tuple[str, ...]
    show: Callable[["OrganizationAdmin", StaffRequest, Organization], HttpResponse] | None = None

    @property
    def url_name(self) -> str:
        return f"credits_organization_{self.slug}"

    def is_open_to(self, user: User) -> bool:
        return user.has_perms(self.permissions)


_tabs: list[Tab] = []


def register(tab: Tab, *, after: str | None = None) -> None:
    """Put a tab behind the one of a slug, or last."""
    slugs = [known.slug for known in _tabs]
    _tabs.insert(slugs.index(after) + 1 if after else len(_tabs), tab)


def urls(model_admin: "OrganizationAdmin") -> list[URLPattern]:
    def view(tab: Tab, request: StaffRequest, object_id: str) -> HttpResponse:
        if not (tab.is_open_to(request.user) and model_admin.has_view_permission(request)):
            raise PermissionDenied
        assert tab.show
        return tab.show(model_admin, request, model_admin.object_or_404(request, object_id))

    protect = model_admin.admin_site.admin_view
    return [
        path(f"<path:object_id>/{tab.slug}/", protect(partial(view, tab)), name=tab.url_name)
        for tab in _tabs
        if tab.show
    ]


def frame(
    model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
) -> dict[str, Any]:
    """What the head and the bar tell on every tab."""
    actions = model_admin.get_actions_detail(request, organization.pk)
    return {
        "organization": organization,
        "tabs": list(_bar(request, organization)),
        "organization_actions": [
            {
                "title": action.description,
                "icon": action.icon,
                "variant": action.variant.value,
                "url": reverse(f"admin:{action.action_name}", args=[organization.pk]),
            }
            for action in actions
        ],
    }


def _bar(request: StaffRequest, organization: Organization) -> Iterator[dict[str, Any]]:
    assert request.resolver_match
    for tab in _tabs:
        if tab.is_open_to(request.user):
            url = reverse(f"admin:{tab.url_name}", args=[organization.pk])
            is_current = request.resolver_match.url_name == tab.url_name
            yield {"title": tab.title, "url": url, "is_current": is_current}


def page(
    model_admin: "OrganizationAdmin",
    request: StaffRequest,
    organization: Organization,
    template: str,
    **context: Any,
) -> HttpResponse:
    """The page of a tab; its template extends `admin/credits/organization/tab.html`."""
    shared = {"title": str(organization), **frame(model_admin, request, organization)}
    return model_admin.page(request, template, organization, **shared, **context)


def way(user: User, text: str, url_name: str, pk: Any, permission: str) -> str:
    """A link to something to do with a row; empty for who may not do it."""
    if not user.has_perm(permission):
        return ""
    url = reverse(f"admin:{url_name}", args=[pk])
    return format_html('<a class="text-link" href="{}">{}</a>', url, text)


def revoke(user: User, grant: Grant) -> str:
    if not grant.is_open:
        return ""
    return way(user, "Revoke", "credits_grant_revoke", grant.pk, "credits.adjust_credits")


def ways(*links: str) -> str:
    return format_html_join(" ", "{}", ((link,) for link in links if link))


@dataclass(frozen=True, slots=True)
class Turned(Generic[Row]):
    """One page of rows that are never counted."""

    rows: list[Row]
    number: int
    has_more: bool


def turn(request: HttpRequest, rows: "QuerySet[Any, Row]") -> Turned[Row]:
    """The page that `?page=` asks for, the first one where that is no number of a page."""
    asked = request.GET.get("page", "")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 5 else 1
    number = min(max(number, 1), COUNTED_ROWS // ROWS_PER_PAGE)
    begin = (number - 1) * ROWS_PER_PAGE
    found = list(rows[begin : begin + ROWS_PER_PAGE + 1])
    return Turned(found[:ROWS_PER_PAGE], number, len(found) > ROWS_PER_PAGE)
