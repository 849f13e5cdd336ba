"""The first page: what needs attention, then the figures of these two weeks, then a chart.

Each part is shown to those who may see the rows behind it, and leads to them. What there is to tell
comes from functions in `TILES`, `TABLES` and `CHARTS` that get a `Look`; other apps add theirs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from credits import figures
from credits.admin.base import COUNTED_ROWS
from credits.charts import Day, UsageChart
from credits.figures import Period

State = Literal["danger", "warning", "neutral", "ok"]
STATES: Sequence[State] = ("danger", "warning", "neutral", "ok")


@dataclass(frozen=True)
class Look:
    """Somebody's look at the dashboard at one moment."""

    request: HttpRequest
    now: datetime

    def may(self, permission: str) -> bool:
        return self.request.user.has_perm(permission)

    @cached_property
    def periods(self) -> list[Period]:
        return figures.periods(self.now)


@dataclass(frozen=True, slots=True)
class Tile:
    """How one thing stands; `danger` and `warning` need somebody's attention."""

    title: str
    value: str
    detail: str
    state: State
    url: str = ""

    @property
    def needs_attention(self) -> bool:
        return self.state in ("danger", "warning")


@dataclass(frozen=True, slots=True)
class Cell:
    """A number, and where the rows behind it are."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What one thing came to in each period; `is_part` of the row above it that is none."""

    name: str
    cells: list[Cell]
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    note: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars by day, the same as a table, and how many days they may go back."""

    title: str
    note: str
    bars: UsageChart
    rows: list[tuple[Day, list[Cell]]]
    days: int
    choices: Sequence[int]


TILES: list[Callable[[Look], Iterable[Tile]]] = []
TABLES: list[Callable[[Look], Iterable[Table]]] = []
CHARTS: list[Callable[[Look], Iterable[Chart]]] = []


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the template of the first page needs (unfold's `DASHBOARD_CALLBACK`)."""
    look = Look(request, timezone.now())
    tiles = [tile for tell in TILES for tile in tell(look)]
    return {
        **context,
        "title": "Dashboard",
        "now": look.now,
        "periods": look.periods,
        "tiles": sorted(tiles, key=lambda tile: STATES.index(tile.state)),
        "attention": sum(tile.needs_attention for tile in tiles),
        "tables": [table for tell in TABLES for table in tell(look)],
        "charts": [chart for tell in CHARTS for chart in tell(look)],
    }


def list_url(model: str, **filters: object) -> str:
    """The address of a change list: `list_url("credits.entry", kind__exact="spend")`."""
    app_label, name = model.split(".")
    address = reverse(f"admin:{app_label}_{name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def days(field: str, period: Period) -> dict[str, object]:
    """What a change list's `DayRangeFilter` of a field takes for a period."""
    return {f"{field}_from": period.first, f"{field}_to": period.last}


def row(
    name: str,
    numbers: Iterable[int],
    urls: Iterable[str],
    *,
    is_part: bool = False,
    shown: Callable[[int], str] = "{:,}".format,
) -> Row:
    """A row whose numbers lead to their rows; there are none behind a 0."""
    cells = [
        Cell(shown(number), url) if number else Cell("0")
        for number, url in zip(numbers, urls, strict=True)
    ]
    return Row(name, cells, is_part)


def counting_tile(title: str, rows: QuerySet[Any], detail: str, if_any: State, url: str) -> Tile:
    """How many rows there are, counted to `COUNTED_ROWS`; none is `ok`, any is as said."""
    number = rows.order_by()[: COUNTED_ROWS + 1].count()
    value = f"{number:,}" if number <= COUNTED_ROWS else f"{COUNTED_ROWS:,}+"
    return Tile(title, value, detail, if_any if number else "ok", url)
