"""The pages that are measured; add a function to `SOURCES` for more."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.test import Client, RequestFactory
from django.urls import reverse

from credits.models import Email, Entry, Invitation, Organization, User
from tests.benchmarks.measuring import Page
from topups.models import BillingAccount, Purchase

HOT = 1  # The organization with a tenth of all entries.
AUTOCOMPLETED = (
    "credits.organization",
    "credits.user",
    "credits.action",
    "credits.service",
    "auth.group",
)


def superuser() -> Client:
    client = Client(raise_request_exception=False, SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.filter(is_superuser=True).earliest("pk"))
    return client


def all_pages() -> Iterator[Page]:
    for source in SOURCES:
        yield from source()


# --- Lists ----------------------------------------------------------------------------------------


def lists() -> Iterator[Page]:
    """Every change list: bare, filtered, sorted, turned over and searched."""
    for model in sorted(admin.site._registry, key=lambda model: model._meta.label):
        yield from lists_of(model)


def lists_of(model: Any) -> Iterator[Page]:
    for what, query in _queries(model, admin.site._registry[model]):
        yield Page(f"{model._meta.label_lower} {what}", f"{list_url(model)}?{urlencode(query)}")


def _queries(model: Any, model_admin: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    request = RequestFactory().get(list_url(model))
    request.user = User.objects.filter(is_superuser=True).earliest("pk")
    changelist = model_admin.get_changelist_instance(request)
    yield "all", {}
    yield from _turned(changelist)
    yield from _sorted(model_admin, request)
    yield from _filtered(changelist)
    yield from _of_days(model_admin)
    yield from _searched(model_admin)


def _turned(changelist: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if changelist.paginator.num_pages > 1:
        yield "page 2", {"p": 2}
        yield "last page", {"p": changelist.paginator.num_pages}


def _sorted(model_admin: Any, request: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    columns = model_admin.get_list_display(request)
    # The first column is of the boxes where there are bulk actions; else it is the first shown.
    changelist = model_admin.get_changelist_instance(request)
    for number, column in enumerate(changelist.list_display):
        if column in columns and changelist.get_ordering_field(column):
            yield f"by {column}", {"o": number}
            yield f"by -{column}", {"o": f"-{number}"}


def _filtered(changelist: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for spec in changelist.filter_specs:
        field_path = getattr(spec, "field_path", "")
        if field_path.endswith("organization"):
            for name, pk in _organizations().items():
                yield f"of {name} organization", {f"{field_path}__id__exact": pk}
        for choice in spec.choices(changelist):
            if query := choice.get("query_string", "").removeprefix("?"):
                yield f"{spec.title}: {choice['display']}", dict(_pairs(query))


def _of_days(model_admin: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    last = _last_day()
    for spec in model_admin.list_filter:
        if isinstance(spec, tuple) and spec[1].__name__ == "DayRangeFilter":
            for name, days in {
                "the last day": (1, 0),
                "a day long ago": (120, 120),
                "a month long ago": (150, 120),
                "half a year": (200, 0),
            }.items():
                first, end = (last - timedelta(days=ago) for ago in days)
                query = {f"{spec[0]}_from": first, f"{spec[0]}_to": end}
                yield f"of {name}", query
                if any("organization" in str(other) for other in model_admin.list_filter):
                    path = _organization_path(model_admin)
                    yield (
                        f"of {name} and the hot organization",
                        {**query, f"{path}__id__exact": HOT},
                    )
                    yield (
                        f"of {name} and a small organization",
                        {
                            **query,
                            f"{path}__id__exact": _organizations()["a small"],
                        },
                    )


def _organization_path(model_admin: Any) -> str:
    paths = (spec[0] for spec in model_admin.list_filter if isinstance(spec, tuple))
    return next(path for path in paths if path.endswith("organization"))


def _searched(model_admin: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if not model_admin.get_search_fields(None):
        return
    row = model_admin.model.objects.order_by("-pk").first()
    for term in (*words(), *([row.pk] if row else ())):
        yield f"search {term}", {"q": term}


def words() -> list[str]:
    """Words that many, some, few and no organizations and users have, and exact ones."""
    middle = Organization.objects.order_by("pk")[Organization.objects.count() // 2]
    paid = Purchase.objects.filter(status="paid").latest("created_at")
    return [
        "studio",
        "metropolis media",
        middle.name,
        middle.name.split()[0],
        "zzzz",
        "a",
        middle.public_id,
        User.objects.get(pk=middle.pk).email,
        "lopez",
        "asset-1234567",
        paid.stripe_session_id,
        paid.stripe_payment_intent_id,
        f"cus_{BillingAccount.objects.latest('pk').pk}",
        Invitation.objects.latest("pk").email,
        Email.objects.latest("pk").key,
        "checkout.session.completed",
    ]


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query)


# --- Beside the lists -----------------------------------------------------------------------------


def autocompletes() -> Iterator[Page]:
    for label in AUTOCOMPLETED:
        for app, model, field in _fields_to(label):
            asked = {"app_label": app, "model_name": model, "field_name": field}
            for term in ("", "a", "stud", "lopez", "zzzz", *words()[2:4], *words()[6:8]):
                query = urlencode({**asked, "term": term})
                yield Page(
                    f"autocomplete {label} {term!r}", f"{reverse('admin:autocomplete')}?{query}"
                )
            break


def _fields_to(label: str) -> Iterator[tuple[str, str, str]]:
    """Fields of registered models that lead to a model."""
    target = apps.get_model(label)
    for model in admin.site._registry:
        for field in (*model._meta.fields, *model._meta.many_to_many):
            if field.is_relation and field.related_model is target:
                yield model._meta.app_label, model._meta.model_name, field.name


def change_pages() -> Iterator[Page]:
    """The newest row of each table, and organizations of several sizes."""
    for model in admin.site._registry:
        row = model._default_manager.order_by("-pk").first()
        if row is not None:
            yield Page(f"change {model._meta.label_lower}", _change_url(model, row.pk))
            url = reverse(f"admin:{_route(model)}_history", args=[quote(row.pk)])
            yield Page(f"history {model._meta.label_lower}", url)
    for name, pk in _organizations().items():
        yield Page(f"change credits.organization {name}", _change_url(Organization, pk))
        yield Page(f"change credits.user {name}", _change_url(User, pk))


def dashboard() -> Iterator[Page]:
    """The first page, and the list behind each of its numbers."""
    first_page = reverse("admin:index")
    yield Page("dashboard", first_page)
    yield Page("dashboard of 30 days", f"{first_page}?days=30")
    body = superuser().get(first_page).text.partition('id="content-main"')[2]
    for link in sorted({unescape(link) for link in re.findall(r'href="(/admin/[^"]+)"', body)}):
        yield Page(f"dashboard's {link.removeprefix(first_page)}", link)


SOURCES: list[Callable[[], Iterator[Page]]] = [dashboard, lists, autocompletes, change_pages]


def _organizations() -> dict[str, int]:
    small = (
        Entry.objects.filter(organization__gt=Organization.objects.count() // 2)
        .order_by("pk")
        .first()
    )
    return {"the hot": HOT, "a small": small.organization_id if small else HOT}


def _last_day() -> Any:
    return Entry.objects.latest("pk").created_at.date()


def _route(model: Any) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


def list_url(model: Any) -> str:
    return reverse(f"admin:{_route(model)}_changelist")


def _change_url(model: Any, pk: Any) -> str:
    return reverse(f"admin:{_route(model)}_change", args=[quote(pk)])
