"""Keeping finance's totals: what moved by month and currency, in credits and in money."""

from datetime import date
from typing import Any

from django.db import connection, transaction

from credits.models import TotalsMark
from topups.models import MonthTotal, MonthTotalsMark

_COLUMNS = [field.attname for field in MonthTotal._meta.concrete_fields if not field.primary_key]
_KEY = ("month", "currency")
_FIGURES = [name for name in _COLUMNS if name not in _KEY]

_MONTHS_OF_ENTRIES = """
    SELECT DISTINCT date_trunc('month', created_at AT TIME ZONE 'UTC')::date
    FROM credits_entry WHERE id > %s AND id <= %s
"""


def worth(credits: str) -> str:
    """`accounting.worth` in SQL, beside a row `p` of purchases and `g` of their grants."""
    return f"div((p.paid_minor - p.tax_minor)::numeric * ({credits}), g.amount)::bigint"


# Each movement is worth the deferred money it takes away, as in `accounting.roll_forward`: `left_0`
# credits at the start of the month, and so many after each movement in its order.
_RECOMPUTE = f"""
    INSERT INTO topups_monthtotal ({", ".join(_COLUMNS)})
    SELECT month, currency, count(*) FILTER (WHERE granted > 0),
        sum(granted), sum(worth_1 - worth_0),
        sum(used), sum(worth_1 - worth_2),
        sum(lapsed), sum(worth_2 - worth_3),
        sum(taken_back), sum(worth_3 - worth_4),
        sum(adjusted), sum(worth_4 - worth_5),
        sum(set_aside), sum(held_minor),
        sum(frozen), sum(frozen_minor),
        coalesce(sum(amount_minor) FILTER (WHERE granted > 0), 0),
        coalesce(sum(discount_minor) FILTER (WHERE granted > 0), 0),
        coalesce(sum(tax_minor) FILTER (WHERE granted > 0), 0),
        coalesce(sum(paid_minor) FILTER (WHERE granted > 0), 0)
    FROM (
        SELECT m.*, p.currency, p.amount_minor, p.discount_minor, p.tax_minor, p.paid_minor,
            {worth("left_0")} AS worth_0, {worth("left_1")} AS worth_1,
            {worth("left_2")} AS worth_2, {worth("left_3")} AS worth_3,
            {worth("left_4")} AS worth_4, {worth("m.closing")} AS worth_5,
            {worth("held_before + m.set_aside")} - {worth("held_before")} AS held_minor,
            {worth("frozen_before + m.frozen")} - {worth("frozen_before")} AS frozen_minor
        FROM credits_grantmonth m
        JOIN credits_grant g ON g.id = m.grant_id
        JOIN topups_purchase p ON p.id = g.purchase_id
        CROSS JOIN LATERAL (SELECT m.closing + m.adjusted AS left_4) l4
        CROSS JOIN LATERAL (SELECT left_4 + m.taken_back AS left_3) l3
        CROSS JOIN LATERAL (SELECT left_3 + m.lapsed AS left_2) l2
        CROSS JOIN LATERAL (SELECT left_2 + m.used AS left_1) l1
        CROSS JOIN LATERAL (SELECT left_1 - m.granted AS left_0) l0
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(set_aside), 0) AS held_before,
                coalesce(sum(frozen), 0) AS frozen_before
            FROM credits_grantmonth
            WHERE (m.set_aside <> 0 OR m.frozen <> 0) AND grant_id = m.grant_id AND month < m.month
        ) before
        WHERE m.month = ANY(%s)
    ) moved
    GROUP BY month, currency
    ON CONFLICT (month, currency) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _FIGURES)}
"""  # noqa: S608 our names

# For `credits.ledger.audit`: what the totals say moved, against the entries themselves. The money
# deferred is computed from what was left of each grant, and not movement by movement.
CHECK = f"""
    WITH moved AS (
        SELECT e.grant_id, date_trunc('month', e.created_at AT TIME ZONE 'UTC')::date AS month,
            coalesce(sum(e.credits) FILTER (WHERE e.kind = 'grant'), 0) AS sold,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('spend', 'refund')), 0) AS recognized,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind = 'expire'), 0) AS lapsed,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('revoke', 'restore')), 0) AS refunded,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind = 'adjust'), 0) AS adjusted,
            coalesce(sum(e.credits) FILTER (
                WHERE e.kind NOT IN ('hold', 'release', 'freeze', 'thaw')
            ), 0) AS change
        FROM topups_monthtotalsmark k
        JOIN credits_entry e ON e.id <= k.entry_id
        JOIN credits_grant g ON g.id = e.grant_id AND g.kind = 'top_up'
        GROUP BY 1, 2
    ), entries AS (
        SELECT month, p.currency, sum(sold) AS sold, sum(recognized) AS recognized,
            sum(lapsed) AS lapsed, sum(refunded) AS refunded, sum(adjusted) AS adjusted,
            sum({worth("m.after")} - {worth("m.after - m.change")}) AS deferred
        FROM (
            SELECT *, sum(change) OVER (PARTITION BY grant_id ORDER BY month) AS after FROM moved
        ) m
        JOIN credits_grant g ON g.id = m.grant_id
        JOIN topups_purchase p ON p.id = g.purchase_id
        GROUP BY 1, 2
    )
    SELECT format('%s in %s: the deferred money changed by %s, by its entries by %s; or the credits'
        ' differ', month, currency, t.deferred, e.deferred)
    FROM entries e
    FULL JOIN (
        SELECT *, sold_minor - recognized_minor - lapsed_minor - refunded_minor - adjusted_minor
            AS deferred
        FROM topups_monthtotal
    ) t USING (month, currency)
    WHERE (e.deferred, e.sold, e.recognized, e.lapsed, e.refunded, e.adjusted)
        IS DISTINCT FROM (t.deferred, t.sold_credits, t.recognized_credits, t.lapsed_credits,
            t.refunded_credits, t.adjusted_credits)
"""  # noqa: S608 our names


@transaction.atomic
def roll_up() -> int:
    """Compute the totals of each month that has new entries; how many months that were.

    Run twice, killed or run side by side, the totals come out the same: they are exactly those of
    the entries that the ledger's totals had when this began.

    >>> month_totals.roll_up()
    1
    """
    MonthTotalsMark.objects.get_or_create(pk=1)
    mark = MonthTotalsMark.objects.select_for_update().get()
    # Locked, so that nobody adds to the ledger's totals while they are read.
    ledger = TotalsMark.objects.select_for_update().first()
    if ledger is None:
        return 0
    months = _months(mark.entry_id, ledger.entry_id)
    if months:
        _execute(_RECOMPUTE, [months])
    mark.entry_id, mark.as_of = ledger.entry_id, ledger.as_of
    mark.save()
    return len(months)


def _months(after: int, last: int) -> list[date]:
    return [month for (month,) in _execute(_MONTHS_OF_ENTRIES, [after, last], fetch=True)]


def _execute(query: str, arguments: list[Any], *, fetch: bool = False) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, arguments)
        return cursor.fetchall() if fetch else []
