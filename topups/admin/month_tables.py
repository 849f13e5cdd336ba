"""Finance's months as tables: what each line of a page tells."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html

from credits.admin.base import label
from credits.admin.tables import number, table
from topups.accounting import MOVEMENTS
from topups.finance import Amount, FreeMonth, Month
from topups.money import exact_amount, format_rate
from topups.top_up_months import TopUpMonth

# What each movement is called, and what counts in it.
NAMES = {
    "sold": ("Sold", "Price of top-ups granted in the month, after discount, without tax"),
    "recognized": ("Recognized as used", "At the cost of what was spent, less spends given back"),
    "lapsed": ("Lapsed (breakage)", "At the cost of what expired unused"),
    "refunded": ("Refunded", "At the cost of unused credits taken back with their money"),
    "adjusted": ("Adjusted", "At the cost of what staff took by hand"),
}
FREE_KINDS = {"weekly": "Weekly", "staff": "Promotional"}


def money(amount_minor: int, currency: str, *, signed: bool = False) -> str:
    sign = "+" if signed and amount_minor else ""
    return format(exact_amount(amount_minor, currency), f"{sign},f")


def both(amount: Amount, currency: str, *, signed: bool = False) -> str:
    """Money, with its credits below."""
    return format_html(
        '<span class="figure"><span class="number">{}</span>'
        '<span class="number text-subtle">{}</span></span>',
        money(amount.minor, currency, signed=signed),
        format(amount.credits, "+," if signed and amount.credits else ","),
    )


def month_url(month: date, currency: str) -> str:
    address = reverse("admin:topups_monthtotal_month", args=[f"{month:%Y-%m}"])
    return f"{address}?{urlencode({'currency': currency})}"


def state(month: Month, present: date | None) -> str:
    if month.differences():
        return label("Differs", "danger")
    if month.closed:
        return label("Closed", "success")
    return label("Running", "info") if month.month == present else label("Open", "warning")


def months(rows: list[Month], present: date | None) -> dict[str, Any]:
    headers = ("Month", "Opening", "Sold", "Recognized", "Lapsed", "Refunded", "Adjusted")
    return table((*headers, "Closing", "Of which"), [_month_row(row, present) for row in rows])


def _month_row(month: Month, present: date | None) -> list[Any]:
    currency = month.total.currency
    return [
        format_html(
            '<span class="figure start"><a class="text-link" href="{}">{}</a>{}</span>',
            month_url(month.month, currency),
            f"{month.month:%b %Y}",
            state(month, present),
        ),
        both(month.opening, currency),
        *(both(moved, currency, signed=True) for moved in _signed(month).values()),
        both(month.closing, currency),
        _of_which(month),
    ]


def _signed(month: Month) -> dict[str, Amount]:
    """The movements as they add up."""
    return {name: Amount().moved(moved, MOVEMENTS[name]) for name, moved in month.movements.items()}


def _of_which(month: Month) -> str | None:
    currency = month.total.currency
    parts = {"on hold": month.held, "disputed": month.frozen}
    told = [f"{money(part.minor, currency)} {why}" for why, part in parts.items() if part.credits]
    lines = [format_html("<span>{}</span>", line) for line in told]
    return format_html('<span class="figure text-subtle">{}{}</span>', *[*lines, "", ""][:2])


def roll_forward(month: Month) -> dict[str, Any]:
    """The month of the deferred balance, line by line."""
    currency = month.total.currency
    lines = [_line("Opening", month.opening, currency, "Deferred when the month began")]
    for name, moved in _signed(month).items():
        title, counts = NAMES[name]
        lines.append(_line(title, moved, currency, counts, signed=True))
    closing = "Deferred when the month ended: neither used nor gone"
    lines += [
        _line("Closing", month.closing, currency, closing, important=True),
        _line("… of which on hold", month.held, currency, "Set aside by holds not yet settled"),
        _line(
            "… of which disputed", month.frozen, currency, "Frozen by disputes, refunds under way"
        ),
    ]
    return table(("", "Credits", currency.upper(), "What counts"), lines)


def _line(
    title: str,
    amount: Amount,
    currency: str,
    counts: str,
    *,
    signed: bool = False,
    important: bool = False,
) -> list[Any]:
    credits_moved = number(amount.credits, "+" if signed and amount.credits else "")
    return [
        _title(title, important=important),
        credits_moved,
        format_html('<span class="number">{}</span>', money(amount.minor, currency, signed=signed)),
        format_html('<span class="text-subtle">{}</span>', counts),
    ]


def _title(title: str, *, important: bool = False) -> str:
    weight = "font-semibold text-important" if important else ""
    return format_html('<span class="{}">{}</span>', weight, title)


def sales(month: Month) -> dict[str, Any]:
    """How the price of what was sold became what was paid."""
    sold = month.total
    return _money_table(
        sold.currency,
        ("List price", sold.list_minor, f"Before discount and tax; top-ups: {sold.sales:,}"),
        ("Discount", -sold.discount_minor, "By promotion codes; free top-ups cost nothing"),
        ("Tax", sold.tax_minor, "Owed to others: never deferred, never revenue"),
        ("Paid", sold.paid_minor, "What Stripe charged; less tax, it is what was sold"),
    )


def revenue(month: Month) -> dict[str, Any]:
    """Money that went back, and what that makes of the month's revenue."""
    back, moved = month.returned, month.total
    return _money_table(
        moved.currency,
        ("Money back", back.amount_minor, "Refunded or lost in disputes, with tax"),
        ("… tax in it", -back.tax_minor, "The same share of the tax"),
        ("… from deferred", -moved.refunded_minor, "Refunded, as above"),
        ("Revenue reversed", month.reversed_minor, "The rest: money for credits that were used"),
        (
            "Revenue",
            month.revenue_minor,
            "Recognized, lapsed and adjusted, less what was reversed",
        ),
    )


def _money_table(currency: str, *lines: tuple[str, int, str]) -> dict[str, Any]:
    last = len(lines) - 1
    rows = [
        [
            _title(title, important=position == last),
            format_html('<span class="number">{}</span>', money(amount_minor, currency)),
            format_html('<span class="text-subtle">{}</span>', counts),
        ]
        for position, (title, amount_minor, counts) in enumerate(lines)
    ]
    return table(("", currency.upper(), "What counts"), rows)


def free(rows: list[FreeMonth]) -> dict[str, Any]:
    headers = ("Month", "Kind", "Opening", "Granted", "Used", "Lapsed", "Adjusted", "Closing")
    return table(headers, map(_free_row, rows))


def _free_row(row: FreeMonth) -> list[Any]:
    moved = row.moved
    return [
        f"{row.month:%b %Y}",
        FREE_KINDS[row.kind],
        number(row.opening),
        number(moved["granted"], "+" if moved["granted"] else ""),
        *(number(-moved[name], "+" if moved[name] else "") for name in ("used", "lapsed")),
        number(-moved["adjusted"], "+" if moved["adjusted"] else ""),
        number(row.closing),
    ]


def top_ups(rows: list[TopUpMonth]) -> dict[str, Any]:
    headers = ("Organization", "Cost of a credit", "Opening", "Sold", "Recognized", "Lapsed")
    return table((*headers, "Refunded", "Adjusted", "Closing"), map(_top_up_row, rows))


def _top_up_row(row: TopUpMonth) -> list[Any]:
    purchase = reverse("admin:topups_purchase_change", args=[row.purchase_id])
    figures = (
        both(
            Amount().moved(Amount(row.credits[name], row.money[name]), MOVEMENTS.get(name, 1)),
            row.currency,
            signed=name in MOVEMENTS,
        )
        for name in row.credits
    )
    return [
        format_html('<a class="text-link" href="{}">{}</a>', purchase, row.organization_name),
        format_html('<span class="number">{}</span>', _rate(row)),
        *figures,
    ]


def _rate(row: TopUpMonth) -> str:
    return format_rate(row.net_minor, row.amount, row.currency) if row.net_minor else "Free"
