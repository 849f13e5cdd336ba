"""Closing the books of a month: its figures are kept as they are, for good."""

from datetime import UTC, date, datetime, time, timedelta

from django.db import transaction

from credits.models import User
from topups import finance
from topups.finance import FIGURES, Month
from topups.models import ClosedMonth, MonthTotal, MonthTotalsMark

_IN_TOTALS = [field.attname for field in MonthTotal._meta.concrete_fields if not field.primary_key]
_COMPARED = [name for name in FIGURES if name in _IN_TOTALS]

# For `credits.ledger.audit`: the figures of closed months are what they were then.
CHECK = f"""
    SELECT format('%s in %s has other figures than when it was closed', month, currency)
    FROM topups_closedmonth c
    FULL JOIN (
        SELECT * FROM topups_monthtotal WHERE month IN (SELECT month FROM topups_closedmonth)
    ) t USING (month, currency)
    WHERE ({", ".join(f"coalesce(t.{name}, 0)" for name in _COMPARED)})
        IS DISTINCT FROM ({", ".join(f"coalesce(c.{name}, 0)" for name in _COMPARED)})
"""  # noqa: S608 our names


# Whoever waits for a wallet, and a task at work, may still write at the moment they began.
LATEST_ENTRIES_AFTER = timedelta(hours=2)


class NotClosable(Exception):
    """The month cannot be closed now; the message says why."""


def is_complete(month: date) -> bool:
    """Whether the totals have all of a month, and nobody can still be writing into it."""
    moment = finance.as_of()
    end = datetime.combine(finance.next_month(month), time(), UTC)
    return moment is not None and moment >= end + LATEST_ENTRIES_AFTER


def to_close(month: date) -> list[Month]:
    """What closing a month would close: it and all open months before it, in each currency.

    Raises `NotClosable` for a month that is not over in the totals, or has nothing to close.
    """
    if not is_complete(month):
        raise NotClosable(
            f"{month:%B %Y} can be closed two hours after its end, once all of it is in the totals."
        )
    found = [
        known
        for currency in finance.currencies()
        for known in finance.months(currency)
        if known.month <= month and known.closed is None
    ]
    if not found:
        raise NotClosable(f"There is nothing to close: {month:%B %Y} is closed, or before all.")
    return found


@transaction.atomic
def close(month: date, *, actor: User, now: datetime) -> list[Month]:
    """Keep the figures of a month, and of all open ones before it, as they are; what was closed.

    Raises `NotClosable`, also for who comes second.

    >>> closing.close(date(2026, 10, 1), actor=fay, now=now)
    """
    # Held against whoever computes totals or closes at the same time.
    MonthTotalsMark.objects.select_for_update().first()
    found = to_close(month)
    rows = [known.figures() for known in found]
    for row in rows:
        row.closed_at, row.closed_by = now, actor
    ClosedMonth.objects.bulk_create(rows)
    return found
