"""Finance's months as files: rows for CSV, which add up as the screens do.

Each figure of money is told twice: in the currency's smallest unit, as programs add it up, and in
the currency itself. Movements are positive in the direction of their name, so that closing =
opening + sold - recognized - lapsed - refunded - adjusted.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date
from typing import Any

from topups import finance, top_up_months
from topups.accounting import MOVEMENTS
from topups.finance import Amount, FreeMonth, Month
from topups.money import exact_amount
from topups.top_up_months import TopUpMonth

Row = list[Any]

_BALANCES = ("opening", *MOVEMENTS, "closing", "held", "frozen")
_MONEY = ("list", "discount", "tax", "paid", "money_back", "money_back_tax", "reversed", "revenue")


def _both(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from (f"{name}_minor", name)


def _in_both(amounts: Iterable[int], currency: str) -> Iterator[Any]:
    for amount_minor in amounts:
        yield from (amount_minor, exact_amount(amount_minor, currency))


SUMMARY_COLUMNS = (
    *("month", "currency", "state", "closed_at", "sales"),
    *(f"{name}_credits" for name in _BALANCES),
    *_both(_BALANCES),
    *_both(_MONEY),
)


def summary(currencies: Iterable[str]) -> Iterator[list[Row]]:
    """Every month of these currencies, oldest first, in chunks."""
    yield [list(SUMMARY_COLUMNS)]
    for currency in currencies:
        yield [_month_row(month) for month in finance.months(currency)]


def _month_row(month: Month) -> Row:
    balances = _balances(month)
    return [
        f"{month.month:%Y-%m}",
        month.total.currency,
        "closed" if month.closed else "open",
        f"{month.closed.closed_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if month.closed else "",
        month.total.sales,
        *(balance.credits for balance in balances),
        *_in_both((balance.minor for balance in balances), month.total.currency),
        *_in_both(_money(month), month.total.currency),
    ]


def _balances(month: Month) -> list[Amount]:
    moved = month.movements.values()
    return [month.opening, *moved, month.closing, month.held, month.frozen]


def _money(month: Month) -> tuple[int, ...]:
    sold = month.total
    return (
        sold.list_minor,
        sold.discount_minor,
        sold.tax_minor,
        sold.paid_minor,
        *month.returned,
        month.reversed_minor,
        month.revenue_minor,
    )


FREE_COLUMNS = ("month", "kind", "opening", "granted", "used", "lapsed", "adjusted", "closing")


def free() -> Iterator[list[Row]]:
    """Every month of the weekly and of the promotional credits."""
    yield [list(FREE_COLUMNS)]
    yield [_free_row(month) for month in finance.free_months()]


def _free_row(month: FreeMonth) -> Row:
    moved = (month.moved[name] for name in FREE_COLUMNS[3:-1])
    return [f"{month.month:%Y-%m}", month.kind, month.opening, *moved, month.closing]


TOP_UP_COLUMNS = (
    *("month", "organization", "organization_name", "purchase_id", "grant_id"),
    *("stripe_session_id", "stripe_payment_intent_id", "paid_at", "currency"),
    *("credits", "cost_basis_per_credit"),
    *_both(("paid", "tax", "net")),
    *(f"{name}_credits" for name in _BALANCES),
    *_both(_BALANCES),
)


def top_ups(month: date) -> Iterator[list[Row]]:
    """Every top-up that moved in a month or was left at its end, in chunks."""
    yield [list(TOP_UP_COLUMNS)]
    for chunk in top_up_months.in_chunks(month):
        yield [_top_up_row(month, top_up) for top_up in chunk]


def _top_up_row(month: date, row: TopUpMonth) -> Row:
    unusable = (row.held, row.frozen)
    money = [*row.money.values(), *map(row.worth, unusable)]
    return [
        *(f"{month:%Y-%m}", row.organization, row.organization_name),
        *(row.purchase_id, row.grant_id, row.stripe_session_id, row.stripe_payment_intent_id),
        *(f"{row.paid_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", row.currency),
        *(row.amount, f"{row.cost_basis:f}"),
        *_in_both((row.paid_minor, row.tax_minor, row.net_minor), row.currency),
        *row.credits.values(),
        *unusable,
        *_in_both(money, row.currency),
    ]
