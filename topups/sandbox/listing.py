"""Lists, newest first, page by page (https://docs.stripe.com/api/pagination)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from topups.sandbox.errors import Refused, no_such

Json = dict[str, Any]
Row = TypeVar("Row", bound=Model)


def listed(rows: "QuerySet[Row]", given: Json, url: str, show: Callable[[Row], Json]) -> Json:
    """The page of `rows` that a list request asks for by `created`, `limit`, `starting_after`.

    Raises Refused for a cursor that is not there.
    """
    rows = rows.filter(_created(given.get("created", {}))).order_by("-created_at", "-pk")
    if "starting_after" in given:
        rows = rows.filter(_after(rows.model, given["starting_after"]))
    limit = given["limit"]
    found = list(rows[: limit + 1])
    return {
        "object": "list",
        "data": [show(row) for row in found[:limit]],
        "has_more": len(found) > limit,
        "url": url,
    }


def wanted(given: Json, columns: dict[str, str]) -> Json:
    """What to filter by: the columns of those parameters that are given."""
    return {column: given[name] for name, column in columns.items() if name in given}


def _created(span: dict[str, int]) -> Q:
    """Stripe counts whole seconds, so a second includes all that happened in it."""
    bounds = Q()
    for name, second in span.items():
        moment = datetime.fromtimestamp(second, UTC)
        next_second = min(moment, datetime.max.replace(tzinfo=UTC) - _SECOND) + _SECOND
        bounds &= {
            "gt": Q(created_at__gte=next_second),
            "gte": Q(created_at__gte=moment),
            "lt": Q(created_at__lt=moment),
            "lte": Q(created_at__lt=next_second),
        }[name]
    return bounds


_SECOND = timedelta(seconds=1)


def _after(model: type[Model], cursor: str) -> Q:
    last = model._default_manager.filter(pk=cursor).first()
    if last is None:
        what = str(model._meta.verbose_name)
        raise Refused(no_such(what, cursor), code="resource_missing", param="starting_after")
    created_at = last.created_at  # type: ignore[attr-defined]
    return Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=last.pk)
