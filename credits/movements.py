"""The spends and entries of one organization, found among millions without counting or scanning.

Conditions that no index knows are looked for in the next `SCANNED_ROWS` rows only; a page that ends
for that says where to look on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from credits import reports
from credits.models import Entry, Organization, Spend

ROWS_PER_PAGE = 50
SCANNED_ROWS = 10_000
MOST_SPENDS_OF_A_REFERENCE = 1_000

Row = TypeVar("Row")
Mark = TypeVar("Mark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to find; what is None or empty is not asked for.

    `reference` is how it begins. `state` is a spend's status or an entry's kind. From `start` up to
    `end`, both aware.
    """

    reference: str = ""
    idempotency_key: str = ""
    state: str = ""
    action_ids: Sequence[int] | None = None
    api_key_ids: Sequence[int] | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def names_spends(self) -> bool:
        return bool(self.reference or self.idempotency_key)

    @property
    def period(self) -> Q:
        return _asked(created_at__gte=self.start, created_at__lt=self.end)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row, Mark]):
    """Some rows, and after which the next page begins if there may be more.

    `is_cut` says that it ends there only because enough rows were looked at.
    """

    rows: list[Row]
    after: Mark | None = None
    is_cut: bool = False


def _asked(**conditions: Any) -> Q:
    return Q(**{name: value for name, value in conditions.items() if value not in (None, "")})


# --- Spends -------------------------------------------------------------------------------------


def find_spends(
    organization: Organization, search: Search, after: Spend | None = None
) -> Page[Spend, UUID]:
    """The spends searched for, newest first, or by reference first where that is searched for."""
    found = _indexed_spends(organization, search, after).select_related("action", "api_key")
    conditions = _asked(
        status=search.state, action__in=search.action_ids, api_key__in=search.api_key_ids
    )
    if search.names_spends:
        conditions &= search.period
    last = _last_to_look_at(found) if conditions else None
    if last:
        found = _until(last, found, search)
    spends = reports.first_of(found.filter(conditions), ROWS_PER_PAGE + 1)
    if len(spends) > ROWS_PER_PAGE:
        return Page(spends[:ROWS_PER_PAGE], spends[ROWS_PER_PAGE - 1].pk)
    return Page(spends, last.pk if last else None, is_cut=last is not None)


def _indexed_spends(
    organization: Organization, search: Search, after: Spend | None = None
) -> QuerySet[Spend]:
    """What an index finds of what is searched for, in its order."""
    if search.idempotency_key:
        return organization.spends.filter(
            idempotency_key=search.idempotency_key, reference__startswith=search.reference
        )
    if search.reference:
        return reports.spends_by_reference(organization, search.reference, after)
    return reports.spends_before(organization, after).filter(search.period)


def _last_to_look_at(found: QuerySet[Spend]) -> Spend | None:
    return next(iter(reports.first_of(found[SCANNED_ROWS - 1 :], 1)), None)


def _until(last: Spend, found: QuerySet[Any], search: Search) -> QuerySet[Spend]:
    """Up to the `last` to look at; the first condition is where an index can stop."""
    newer = Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, id__gte=last.pk)
    if search.reference:
        before = Q(spelled__lt=last.reference) | Q(spelled=last.reference) & newer
        return found.filter(before, spelled__lte=last.reference)
    return found.filter(newer, created_at__gte=last.created_at)


# --- Entries ------------------------------------------------------------------------------------


def find_entries(
    organization: Organization, search: Search, after: int | None = None
) -> Page[Entry, int]:
    """The entries searched for, newest first; `after` is the number of one to begin behind.

    Of a reference, the entries of its first `MOST_SPENDS_OF_A_REFERENCE` spends.
    """
    found = organization.entries.select_related("grant", "spend__action", "actor")
    conditions = _asked(
        kind=search.state,
        spend__action__in=search.action_ids,
        spend__api_key__in=search.api_key_ids,
    )
    oldest, newest = _numbers(organization, search, after)
    if search.names_spends:
        conditions &= Q(spend__in=_spends_named(organization, search))
        from_number = oldest
    else:
        from_number = max(oldest, newest - SCANNED_ROWS + 1)
    found = found.filter(conditions, seq__gte=from_number, seq__lte=newest)
    entries = reports.first_of(found, ROWS_PER_PAGE + 1)
    if len(entries) > ROWS_PER_PAGE:
        return Page(entries[:ROWS_PER_PAGE], entries[ROWS_PER_PAGE - 1].seq)
    is_cut = from_number > oldest
    return Page(entries, from_number if is_cut else None, is_cut)


def _spends_named(organization: Organization, search: Search) -> list[UUID]:
    spends = _indexed_spends(organization, search).values_list("pk", flat=True)
    return reports.first_of(spends, MOST_SPENDS_OF_A_REFERENCE)


# Entries are numbered without gaps in the order of time, so that halving finds a moment.
_FIRST_SINCE = """
    WITH RECURSIVE halves (low, high) AS (
        SELECT 1::bigint, entry_seq + 1 FROM credits_wallet WHERE organization_id = %(organization)s
        UNION ALL
        SELECT CASE WHEN e.created_at < %(at)s THEN middle + 1 ELSE low END,
            CASE WHEN e.created_at < %(at)s THEN high ELSE middle END
        FROM halves, LATERAL (SELECT (low + high) / 2 AS middle) AS half
        JOIN credits_entry e ON e.organization_id = %(organization)s AND e.seq = middle
        WHERE low < high
    )
    SELECT low FROM halves WHERE low = high
"""


def _numbers(organization: Organization, search: Search, after: int | None) -> tuple[int, int]:
    """The numbers of the first and the last entry of the time searched, before `after`."""
    first = _first_since(organization, search.start) if search.start else 1
    end = (
        _first_since(organization, search.end) if search.end else organization.wallet.entry_seq + 1
    )
    return first, min(end, after or end) - 1


def _first_since(organization: Organization, at: datetime) -> int:
    """The number of the first entry from a moment on, or that of the next one to come."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SINCE, {"organization": organization.pk, "at": at})
        number: int = cursor.fetchone()[0]
        return number
