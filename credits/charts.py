"""Bars of use by day, measured for an SVG: widths in percent of the plot, heights in pixels."""

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


class UsageChart:
    """Stacked bars of the credits that services used on each of `days`.

    >>> UsageChart({service: {date(2026, 11, 23): 30}}, [date(2026, 11, 23)]).top
    30
    """

    height = PLOT_HEIGHT_PX

    def __init__(self, usage: Mapping[Service, Mapping[date, int]], days: Sequence[date]) -> None:
        self.series = _series(usage)
        self.total = sum(series.total for series in self.series)
        totals = [sum(series.by_day.get(day, 0) for series in self.series) for day in days]
        self.step, self.top = _scale(max(totals))
        self.slot = _percent(100 / len(days))
        self.bar = _percent(100 / len(days) * BAR_SHARE)
        self.days = [self._day(index, day, len(days)) for index, day in enumerate(days)]

    def _day(self, index: int, day: date, count: int) -> Day:
        slot = 100 / count
        every = -(-count // MOST_DATES)
        position, rest = divmod(index, every)
        return Day(
            day=day,
            left=_percent(index * slot),
            x=_percent((index + (1 - BAR_SHARE) / 2) * slot),
            middle=_percent((index + 0.5) * slot),
            segments=tuple(self._segments(day)),
            date_rank=0 if rest != every // 2 else 1 + position % 2,
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
    def marks(self) -> list[int]:
        """The numbers beside the lines, from the top down to 0."""
        return list(range(self.top, -1, -self.step))

    @property
    def lines(self) -> list[str]:
        return [f"{PLOT_HEIGHT_PX * (1 - mark / self.top):.1f}" for mark in self.marks]

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
