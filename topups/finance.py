"""Finance's months, read from their totals; nothing here changes a row.

All of it counts by the ledger's dates, in UTC, and in one currency at a time.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import NamedTuple

from django.db.models import Sum
from django.db.models.functions import TruncMonth

from credits.models import DayTotal, Grant
from topups.accounting import MOVEMENTS
from topups.models import ClosedMonth, MoneyBack, MonthTotal, MonthTotalsMark

FREE_KINDS = (Grant.Kind.WEEKLY, Grant.Kind.STAFF)


class Amount(NamedTuple):
    """Credits, and what they cost in the currency's smallest unit."""

    credits: int = 0
    minor: int = 0

    def moved(self, other: "Amount", direction: int = 1) -> "Amount":
        return Amount(
            self.credits + direction * other.credits, self.minor + direction * other.minor
        )


def amount(figures: MonthTotal | ClosedMonth, name: str) -> Amount:
    """One of a month's figures: `amount(total, "sold")`."""
    return Amount(getattr(figures, f"{name}_credits"), getattr(figures, f"{name}_minor"))


class Returned(NamedTuple):
    """Money that was given back or lost in a month: all of it, and the tax in it."""

    amount_minor: int = 0
    tax_minor: int = 0


NOTHING_BACK = Returned()


@dataclass(frozen=True)
class Month:
    """The roll-forward of the deferred balance over one month in one currency.

    `opening`, `held` and `frozen` are balances: at the start, and what of `closing` is set aside by
    holds and frozen by disputes and refunds under way. `closed` are the figures as finance closed
    them.
    """

    total: MonthTotal
    opening: Amount
    held: Amount
    frozen: Amount
    returned: Returned = NOTHING_BACK
    closed: ClosedMonth | None = None

    @property
    def month(self) -> date:
        return self.total.month

    @property
    def movements(self) -> dict[str, Amount]:
        return {name: amount(self.total, name) for name in MOVEMENTS}

    @cached_property
    def closing(self) -> Amount:
        balance = self.opening
        for name, moved in self.movements.items():
            balance = balance.moved(moved, MOVEMENTS[name])
        return balance

    @property
    def returned_net_minor(self) -> int:
        return self.returned.amount_minor - self.returned.tax_minor

    @property
    def reversed_minor(self) -> int:
        """What went back of money recognized before; below 0 when its credits came home later."""
        return self.returned_net_minor - self.total.refunded_minor

    @property
    def revenue_minor(self) -> int:
        """Recognized as used and by lapsing (breakage) and adjusting, less what was reversed."""
        total = self.total
        earned = total.recognized_minor + total.lapsed_minor + total.adjusted_minor
        return earned - self.reversed_minor

    def figures(self) -> ClosedMonth:
        """What closing the month now would keep of it."""
        names = (f.attname for f in MonthTotal._meta.concrete_fields if not f.primary_key)
        return ClosedMonth(
            **{name: getattr(self.total, name) for name in names},
            closing_credits=self.closing.credits,
            closing_minor=self.closing.minor,
            money_back_minor=self.returned.amount_minor,
            money_back_tax_minor=self.returned.tax_minor,
        )

    def differences(self) -> list[tuple[str, int, int]]:
        """Which figures of a closed month are not what they were then: name, then, now."""
        if self.closed is None:
            return []
        told = ((name, getattr(self.closed, name)) for name in FIGURES)
        now = self.figures()
        return [(name, was, is_) for name, was in told if (is_ := getattr(now, name)) != was]


_NOT_FIGURES = ("id", "month", "currency", "closed_at", "closed_by_id")
FIGURES = [f.attname for f in ClosedMonth._meta.concrete_fields if f.attname not in _NOT_FIGURES]


def as_of() -> datetime | None:
    """Until when all entries are in the totals; None while there are none."""
    return MonthTotalsMark.objects.values_list("as_of", flat=True).first()


def currencies() -> list[str]:
    """What top-ups were paid in, in order."""
    found = MonthTotal.objects.order_by("currency").values_list("currency", flat=True)
    return list(found.distinct())


def months(currency: str) -> list[Month]:
    """Every month from the first that moved to the present one, oldest first, without a gap."""
    totals = {total.month: total for total in MonthTotal.objects.filter(currency=currency)}
    if not totals:
        return []
    closed = {row.month: row for row in ClosedMonth.objects.filter(currency=currency)}
    returned = _returned(currency)
    found: list[Month] = []
    for month in months_from(min(totals), max([*totals, *closed, *returned, *_present()])):
        total = totals.get(month) or MonthTotal(month=month, currency=currency)
        found.append(_next(found[-1] if found else None, total, returned, closed))
    return found


def _next(
    before: Month | None,
    total: MonthTotal,
    returned: dict[date, Returned],
    closed: dict[date, ClosedMonth],
) -> Month:
    nothing = Amount()
    return Month(
        total=total,
        opening=before.closing if before else nothing,
        held=(before.held if before else nothing).moved(amount(total, "held")),
        frozen=(before.frozen if before else nothing).moved(amount(total, "frozen")),
        returned=returned.get(total.month, NOTHING_BACK),
        closed=closed.get(total.month),
    )


def _present() -> list[date]:
    moment = as_of()
    return [moment.astimezone(UTC).date().replace(day=1)] if moment else []


def _returned(currency: str) -> dict[date, Returned]:
    lines = MoneyBack.objects.filter(currency=currency).order_by()
    sums = lines.values(month=TruncMonth("posted_at", tzinfo=UTC)).annotate(
        total=Sum("amount_minor"), tax=Sum("tax_minor")
    )
    return {row["month"].date(): Returned(row["total"], row["tax"]) for row in sums}


def months_from(first: date, last: date) -> Iterator[date]:
    """The first days of the months from one to another, both included."""
    while first <= last:
        yield first
        first = next_month(first)


def next_month(month: date) -> date:
    """The first day of the month after.

    >>> next_month(date(2026, 12, 1))
    datetime.date(2027, 1, 1)
    """
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


@dataclass(frozen=True)
class FreeMonth:
    """The credits of one month that nobody paid for: weekly bundles, or given by staff."""

    month: date
    kind: str
    opening: int
    moved: dict[str, int] = field(default_factory=dict)

    @property
    def closing(self) -> int:
        return self.opening + self.moved["granted"] - sum(self.moved[name] for name in _FREE_OUT)


_FREE_OUT = ("used", "lapsed", "adjusted")
_NAMES = {
    "grant": "granted",
    "spend": "used",
    "refund": "used",
    "expire": "lapsed",
    "adjust": "adjusted",
}


def free_months() -> list[FreeMonth]:
    """Free credits by month and kind, oldest first; what holds set aside is not gone yet."""
    moved = _free_movements()
    if not moved:
        return []
    first, last = min(month for month, _ in moved), max(month for month, _ in moved)
    return [
        free
        for kind in FREE_KINDS
        for free in _roll_free(kind, list(months_from(first, max([last, *_present()]))), moved)
    ]


def _roll_free(
    kind: str, every: list[date], moved: dict[tuple[date, str], dict[str, int]]
) -> Iterator[FreeMonth]:
    opening = 0
    for month in every:
        nothing = dict.fromkeys(("granted", *_FREE_OUT), 0)
        free = FreeMonth(month, kind, opening, {**nothing, **moved.get((month, kind), {})})
        opening = free.closing
        yield free


def _free_movements() -> dict[tuple[date, str], dict[str, int]]:
    totals = DayTotal.objects.filter(grant_kind__in=FREE_KINDS, entry_kind__in=_NAMES).order_by()
    sums = totals.values("grant_kind", "entry_kind", month=TruncMonth("day")).annotate(
        total=Sum("credits")
    )
    moved: defaultdict[tuple[date, str], defaultdict[str, int]] = defaultdict(
        lambda: defaultdict(int)
    )
    for row in sums:
        name = _NAMES[row["entry_kind"]]
        sign = 1 if name == "granted" else -1
        moved[row["month"], row["grant_kind"]][name] += sign * row["total"]
    return {key: dict(names) for key, names in moved.items()}
