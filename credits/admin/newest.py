"""Lists of millions of rows of the ledger, newest first, without an index that each spend writes.

A list has at most three orders, and an index has each of them:

- all rows, by their primary key, which grows with time;
- those of organizations, each organization's together, as an (organization, …) index has them;
- those of some days, and those of a kind that an ordinary spend does not write, by time. Where the
  days lie, a BRIN index knows, and only as many of their last rows are read as a list can show.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from credits.admin.base import COUNTED_ROWS, ChangeList, DayRangeFilter, ReadOnlyAdmin

# Each about four times as long as the one before.
SPANS = [timedelta(hours=hours) for hours in (1, 4, 16, 64, 256, 1024)]


class NewestFirstAdmin(ReadOnlyAdmin):
    """`by_organization` is the order in which an index has an organization's rows.

    `ordinary` is the filter that most rows pass, such as `status__exact=spent`.
    """

    sortable_by = ()
    ordering = ("-pk",)
    by_organization: tuple[str, ...] = ("organization_id", "-created_at", "-pk")
    ordinary: tuple[str, str] | None = None

    def arranged(self, found: QuerySet[Any], changelist: ChangeList) -> QuerySet[Any]:
        days = days_of(changelist)
        if "organization__id__exact" in changelist.params:
            return found.order_by(*self.by_organization)
        if days:
            return _newest(found, days).order_by("-created_at", "-pk")
        if changelist.query:
            return found.order_by(*self.by_organization)
        if self._is_rare(changelist.params):
            return found.order_by("-created_at", "-pk")
        return found

    def _is_rare(self, params: dict[str, Any]) -> bool:
        if self.ordinary is None:
            return False
        name, value = self.ordinary
        return params.get(name, value) != value


def days_of(changelist: ChangeList) -> tuple[datetime, datetime] | None:
    """The first and the last moment of the days that a list is asked for, if any."""
    filters = (spec for spec in changelist.filter_specs if isinstance(spec, DayRangeFilter))
    return next((spec.days for spec in filters), None)


def _newest(found: QuerySet[Any], days: tuple[datetime, datetime]) -> QuerySet[Any]:
    """As many of the last rows of some days as the list counts, if they lie within a short time.

    Without it, PostgreSQL would read and sort all that happened in those days.
    """
    first, last = days[0], min(days[1], timezone.now())
    for span in SPANS:
        start = last - span
        if start <= first:
            break
        newest = found.filter(created_at__gte=start)
        if newest.order_by().values("pk")[:COUNTED_ROWS].count() == COUNTED_ROWS:
            return newest
    return found
