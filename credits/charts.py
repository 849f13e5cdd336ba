"""Charts by day, measured for an SVG: widths in percent of the plot, heights in pixels."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext

from credits.models import Service

PLOT_HEIGHT_PX = 200
MOST_SERIES = 6
MOST_DATES = 7
BAR_SHARE = 0.7
GAP_PX = 1


@dataclass(frozen=True, slots=True)
class Series:
    """What one service used, or several together where `service` is None.

    `color` numbers the colors of `chart.css`, from 1; 0 is that of the others.
    """

    service: Service | None
    color: int
    by_day: Mapping[date, int]

    @property
    def name(self) -> str:
        return self.service.name if self.service else gettext("Other services")

    @property
    def total(self) -> int:
        return sum(self.by_day.values())


@dataclass(frozen=True, slots=True)
class Segment:
    """One service's part of a bar; what an SVG reads is text, the same in every language."""

    series: Series
    credits: int
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Day:
    """One bar: where its slot begins, where the bar itself does, and where its middle is.

    Its date is written where `date_rank` is not 0, and a phone has room for those of rank 1 only.
    """

    day: date
    left: str
    x: str
    middle: str
    segments: tuple[Segment, ...]
    date_rank: int

    @property
    def total(self) -> int:
        return sum(segment.credits for segment in self.segments)


class Axis:
    """The lines across a plot, a round step apart, up to the first that is not below `most`."""

    height = PLOT_HEIGHT_PX

    def __init__(self, most: int) -> None:
        self.step, self.top = _scale(most)

    @property
    def marks(self) -> list[int]:
        """The numbers beside the lines, from the top down to 0."""
        return list(range(self.top, -1, -self.step))

    @property
    def lines(self) -> list[str]:
        return [_height(mark, self.top) for mark in self.marks]


class UsageChart(Axis):
    """Stacked bars of the credits that services used on each of `days`.

    >>> UsageChart({service: {date(2026, 11, 23): 30}}, [date(2026, 11, 23)]).top
    30
    """

    def __init__(self, usage: Mapping[Service, Mapping[date, int]], days: Sequence[date]) -> None:
        self.series = _series(usage)
        self.total = sum(series.total for series in self.series)
        totals = [sum(series.by_day.get(day, 0) for series in self.series) for day in days]
        super().__init__(max(totals))
        self.slot = _percent(100 / len(days))
        self.bar = _percent(100 / len(days) * BAR_SHARE)
        self.days = [self._day(index, day, len(days)) for index, day in enumerate(days)]

    def _day(self, index: int, day: date, count: int) -> Day:
        slot = 100 / count
        return Day(
            day=day,
            left=_percent(index * slot),
            x=_percent((index + (1 - BAR_SHARE) / 2) * slot),
            middle=_percent((index + 0.5) * slot),
            segments=tuple(self._segments(day)),
            date_rank=_date_rank(index, count),
        )

    def _segments(self, day: date) -> Iterator[Segment]:
        """The parts of a bar from the bottom up; the least of them can still be seen."""
        bottom = float(PLOT_HEIGHT_PX)
        for series in self.series:
            if credits := series.by_day.get(day, 0):
                height = max(credits / self.top * PLOT_HEIGHT_PX, 2 * GAP_PX)
                bottom -= height
                yield Segment(series, credits, f"{bottom:.1f}", f"{height - GAP_PX:.1f}")

    @property
    def rows(self) -> list[tuple[Day, list[int]]]:
        """The days with use, newest first, each with what every series used."""
        return [
            (day, [series.by_day.get(day.day, 0) for series in self.series])
            for day in reversed(self.days)
            if day.segments
        ]


def days_until(last: date, count: int) -> list[date]:
    """That many days, the last of which is `last`."""
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


def _percent(share: float) -> str:
    return f"{share:.3f}%"


def _height(credits: int, top: int) -> str:
    """How far below the top of the plot a number stands, in pixels."""
    return f"{PLOT_HEIGHT_PX * (1 - credits / top):.1f}"


def _date_rank(index: int, count: int) -> int:
    every = -(-count // MOST_DATES)
    position, rest = divmod(index, every)
    return 0 if rest != every // 2 else 1 + position % 2


def _scale(most: int) -> tuple[int, int]:
    """A round step and the top of an axis of at most five steps that holds `most`.

    >>> _scale(230)
    (50, 250)
    """
    power = 10 ** (len(str(most)) - 1)
    steps = (power // 5, power // 2, power, 2 * power)
    step = next(step for step in steps if step and step * 5 >= most)
    return step, max(-(-most // step), 1) * step


def _series(usage: Mapping[Service, Mapping[date, int]]) -> list[Series]:
    """One series for each service, in the given order; the smallest become one where many are."""
    most_used = sorted(usage, key=lambda service: -sum(usage[service].values()))
    shown, others = most_used[:MOST_SERIES], most_used[MOST_SERIES:]
    colors = _colors(service for service in usage if service in shown)
    series = [Series(service, color, usage[service]) for service, color in colors.items()]
    if others:
        series.append(Series(None, 0, sum((Counter(usage[other]) for other in others), Counter())))
    return series


def _colors(services: Iterable[Service]) -> dict[Service, int]:
    """Each service's own color, the same in every period, or the next that is free."""
    colors: dict[Service, int] = {}
    for service in services:
        own = (service.pk - 1) % MOST_SERIES
        candidates = ((own + step) % MOST_SERIES + 1 for step in range(MOST_SERIES))
        colors[service] = next(c for c in candidates if c not in colors.values())
    return colors


@dataclass(frozen=True, slots=True)
class Level:
    """The balance a day ended with: where its slot begins and how high its line runs, in text."""

    day: date
    credits: int
    left: str
    middle: str
    date_rank: int


class BalanceChart(Axis):
    """A line of the balance at the end of each of `days`, a step for each.

    >>> BalanceChart([date(2026, 11, 22), date(2026, 11, 23)], [12, 50]).line
    'M0,152.0V152.0H1V0.0H2'
    """

    def __init__(self, days: Sequence[date], balances: Sequence[int]) -> None:
        super().__init__(max(balances))
        self.slot = _percent(100 / len(days))
        self.count = len(days)
        self.levels = [
            Level(
                day,
                credits,
                _percent(index * 100 / len(days)),
                _percent((index + 0.5) * 100 / len(days)),
                _date_rank(index, len(days)),
            )
            for index, (day, credits) in enumerate(zip(days, balances, strict=True))
        ]

    @property
    def line(self) -> str:
        """The path in a box as wide as there are days and as high as the plot."""
        heights = [_height(level.credits, self.top) for level in self.levels]
        steps = "".join(f"V{height}H{end}" for end, height in enumerate(heights, 1))
        return f"M0,{heights[0]}{steps}"

    @property
    def area(self) -> str:
        """What is below the line."""
        return f"{self.line}V{PLOT_HEIGHT_PX}H0Z"

    @property
    def rows(self) -> list[Level]:
        """The days, newest first."""
        return self.levels[::-1]
