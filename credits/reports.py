"""Read-only queries for pages; nothing here changes a row."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    F,
    Func,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Collate, TruncDate

from credits.ledger.weeks import week_start
from credits.models import Action, Grant, Organization, Service, Spend, Wallet

SPENDS_PER_CHUNK = 2_000

Row = TypeVar("Row")


class Available(Func):
    """The whole credits each organization of a query can spend at a moment."""

    function = "ledger_available"
    output_field = BigIntegerField()

    def __init__(self, now: datetime) -> None:
        super().__init__(F("pk"), Value(now))


def present_grants(organization: Organization, *, now: datetime) -> QuerySet[Grant]:
    """The grants a spend would draw from, and those with frozen or missing credits, in order."""
    usable = Q(is_open=True, starts_at__lte=now) & (Q(expires_at=None) | Q(expires_at__gt=now))
    unsettled = Q(clawback__freeze_credits__gt=0) | Q(clawback__outstanding_credits__gt=0)
    return organization.grants.select_related("clawback").filter(usable | unsettled)


def untouched_bundle(organization: Organization, *, now: datetime) -> int:
    """This week's free credits while no grant holds them yet: their first use writes it down."""
    written = Wallet.objects.filter(
        organization=organization, bundle_week__gte=week_start(now).date()
    )
    return 0 if written.exists() else organization.weekly_credits


# An organization's entries are numbered in the order of time, so the first one since a moment is
# found by halving, as no index has them by time.
_FIRST_ENTRY_SINCE = """
    WITH RECURSIVE halves (low, high) AS (
        SELECT 1::bigint, entry_seq + 1 FROM credits_wallet WHERE organization_id = %(organization)s
        UNION ALL
        SELECT CASE WHEN e.created_at < %(moment)s THEN e.seq + 1 ELSE low END,
            CASE WHEN e.created_at < %(moment)s THEN high ELSE e.seq END
        FROM halves JOIN credits_entry e
            ON e.organization_id = %(organization)s AND e.seq = (low + high) / 2
        WHERE low < high
    )
    SELECT coalesce(max(low), 1) FROM halves
"""


def first_entry_since(organization_id: int, moment: datetime) -> int:
    """The number of an organization's first entry at `moment` or later, or else the next number."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_ENTRY_SINCE, {"organization": organization_id, "moment": moment})
        seq: int = cursor.fetchone()[0]
    return seq


USAGE_GROUPS = {
    "action": F("action__code"),
    "service": F("action__service__name"),
    "day": Cast(TruncDate("created_at", tzinfo=UTC), CharField()),
}


def usage(
    organization: Organization, *, start: datetime, end: datetime, by: str
) -> list[dict[str, Any]]:
    """What was spent from `start` up to `end`, by `action`, `service` or `day` (UTC).

    Credits are what the spends kept: refunds and the released part of holds are left out.
    """
    kept = F("credits") - F("released_credits") - F("refunded_credits")
    return [
        dict(row)
        for row in organization.spends.filter(
            status=Spend.Status.SPENT, created_at__gte=start, created_at__lt=end
        )
        .values(name=USAGE_GROUPS[by])
        .annotate(spends=Count("*"), quantity=Sum("quantity"), credits=Sum(kept))
        .order_by("name")
    ]


# Day by day, so that however many spends there are, each day is read from the index by itself and
# added up in memory; the few actions are looked up afterwards.
_DAILY_USAGE = """
    SELECT (day AT TIME ZONE 'UTC')::date, used.action_id, used.credits
    FROM generate_series(%(start)s::timestamptz, %(last)s::timestamptz, '24 hours') AS day,
    LATERAL (
        SELECT action_id, sum(credits - released_credits - refunded_credits)::bigint AS credits
        FROM credits_spend
        WHERE organization_id = %(organization)s AND status = 'spent'
            AND created_at >= day AND created_at < day + interval '24 hours'
        GROUP BY action_id
    ) AS used
    WHERE used.credits > 0
"""


def daily_usage(
    organization: Organization, *, first: date, last: date
) -> dict[Service, Counter[date]]:
    """The credits that spends kept from the `first` to the `last` UTC day, by service and day.

    Services come in the order in which they were made; days and services without use are left out.
    """
    start, last_start = (datetime.combine(day, time(), UTC) for day in (first, last))
    with connection.cursor() as cursor:
        cursor.execute(
            _DAILY_USAGE, {"organization": organization.pk, "start": start, "last": last_start}
        )
        rows = cursor.fetchall()
    services = {action.pk: action.service for action in Action.objects.select_related("service")}
    usage: defaultdict[Service, Counter[date]] = defaultdict(Counter)
    for day, action_id, credits in rows:
        usage[services[action_id]][day] += credits
    return dict(sorted(usage.items(), key=lambda item: item[0].pk))


def spends_before(organization: Organization, older_than: Spend | None = None) -> QuerySet[Spend]:
    """All spends of an organization, or those older than one of them, newest first."""
    spends = organization.spends.select_related("action__service")
    if older_than is None:
        return spends
    # The first condition is the one an index can start from.
    return spends.filter(_is_older(older_than), created_at__lte=older_than.created_at)


_LAST_CHARACTER = "\U0010ffff"


def spends_by_reference(
    organization: Organization, beginning: str, after: Spend | None = None
) -> QuerySet[Spend]:
    """The spends whose reference begins so, by reference and then newest first, or those after one.

    So those whose reference is exactly `beginning` come first, and an index has them in this order.
    """
    first = after.reference if after else beginning
    found = (
        organization.spends.select_related("action__service")
        .alias(spelled=Collate("reference", "C"))
        .exclude(reference="")
        .filter(spelled__gte=first, spelled__lt=beginning + _LAST_CHARACTER)
        .order_by("spelled", "-created_at", "-id")
    )
    return found.filter(Q(spelled__gt=first) | _is_older(after)) if after else found


def _is_older(than: Spend) -> Q:
    return Q(created_at__lt=than.created_at) | Q(created_at=than.created_at, id__lt=than.pk)


# What a file tells of each spend, by the names of its columns.
SPEND_COLUMNS: dict[str, Combinable] = {
    "time": F("created_at"),
    "service": F("action__service__name"),
    "action": F("action__code"),
    "quantity": F("quantity"),
    "credits": F("credits"),
    "refunded": F("released_credits") + F("refunded_credits"),
    "status": F("status"),
    "reference": F("reference"),
    "spend_id": F("id"),
}


def spends_in_order(
    organization: Organization, *, start: datetime, end: datetime
) -> Iterator[list[tuple[Any, ...]]]:
    """Every spend from `start` up to `end`, oldest first, in chunks; of each its SPEND_COLUMNS.

    Each chunk is a query of its own: who takes an hour to read them keeps no transaction open.
    """
    spends = organization.spends.filter(created_at__lt=end).order_by("created_at", "id")
    rows = spends.values_list(*SPEND_COLUMNS.values())
    chunk = first_of(rows.filter(created_at__gte=start), SPENDS_PER_CHUNK)
    while chunk:
        yield chunk
        at, *_, last_id = chunk[-1]
        newer = Q(created_at__gt=at) | Q(id__gt=last_id)
        chunk = first_of(rows.filter(newer, created_at__gte=at), SPENDS_PER_CHUNK)


def first_of(rows: QuerySet[Any, Row], most: int) -> list[Row]:
    """The first `most` of some rows, read as is best for this very organization.

    PostgreSQL would soon plan a repeated query once for all organizations; what is good for the
    usual one sorts millions of rows of a big one.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        return list(rows[:most])
