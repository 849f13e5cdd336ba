"""Figures about all organizations together, for the people inside; nothing here changes a row.

They come from the ledger's totals and from small indexes, never from a scan of entries or wallets.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Q, QuerySet, Sum

from credits.ledger.weeks import week_start
from credits.models import DayTotal, Email, Entry, JobRun, Service, Wallet


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC, from the `first` to the `last`; the last may not be over yet."""

    name: str
    first: date
    last: date

    def within(self, field: str) -> Q:
        """Where a date is in it.

        >>> DayTotal.objects.filter(period.within("day"))
        """
        return Q((f"{field}__range", (self.first, self.last)))

    def during(self, field: str) -> Q:
        """Where a moment is in it."""
        start, end = (
            datetime.combine(day, datetime.min.time(), UTC)
            for day in (self.first, self.last + timedelta(days=1))
        )
        return Q((f"{field}__gte", start), (f"{field}__lt", end))

    @classmethod
    def around(cls, periods: "Sequence[Period]") -> "Period":
        """From the first day of all these periods to the last."""
        return cls("All", min(p.first for p in periods), max(p.last for p in periods))


def periods(now: datetime) -> list[Period]:
    """Today, this week, last week up to the same day, and all of last week."""
    today, monday = now.astimezone(UTC).date(), week_start(now).date()
    week = timedelta(days=7)
    return [
        Period("Today", today, today),
        Period("This week", monday, today),
        Period(f"Last week to {today:%A}", monday - week, today - week),
        Period("Last week", monday - week, monday - timedelta(days=1)),
    ]


@dataclass(frozen=True, slots=True)
class Movement:
    """What entries of a kind moved in each period, in grants of a kind, for one service or none."""

    entry_kind: str
    grant_kind: str
    service_id: int | None
    credits: tuple[int, ...]


class CreditTotals:
    """The credits that moved in each of some periods, to be added up by kind and service.

    >>> CreditTotals(periods(now)).of([Entry.Kind.GRANT], grant_kind=Grant.Kind.TOP_UP)
    [500, 2000, 1500, 4500]
    """

    def __init__(self, periods: Sequence[Period]) -> None:
        self.periods = periods
        sums = {
            f"credits_{n}": Sum("credits", filter=period.within("day"), default=0)
            for n, period in enumerate(periods)
        }
        rows = (
            DayTotal.objects.filter(Period.around(periods).within("day"))
            .values_list("entry_kind", "grant_kind", "action__service")
            .annotate(**sums)
        )
        self.movements = [
            Movement(entry_kind, grant_kind, service_id, tuple(credits))
            for entry_kind, grant_kind, service_id, *credits in rows
        ]

    def of(
        self,
        kinds: Collection[str],
        *,
        grant_kind: str | None = None,
        service: int | None = None,
    ) -> list[int]:
        """Of entries of these kinds in each period, positive into grants; `service` is its id."""
        found = (
            movement.credits
            for movement in self.movements
            if movement.entry_kind in kinds
            and grant_kind in (None, movement.grant_kind)
            and service in (None, movement.service_id)
        )
        return [sum(column) for column in zip(*found, strict=True)] or [0] * len(self.periods)


def spent_by_day(*, first: date, last: date) -> dict[Service, Counter[date]]:
    """The credits spent from the `first` to the `last` UTC day, by service and day, before refunds.

    Services come in the order in which they were made; days and services without use are left out.
    """
    rows = (
        DayTotal.objects.filter(day__range=(first, last), entry_kind=Entry.Kind.SPEND)
        .values_list("action__service", "day")
        .annotate(spent=-Sum("credits"))
    )
    services = Service.objects.in_bulk()
    spent: defaultdict[Service, Counter[date]] = defaultdict(Counter)
    for service_id, day, credits in rows:
        spent[services[service_id]][day] += credits
    return dict(sorted(spent.items(), key=lambda item: item[0].pk))


def out_of_credits(*, now: datetime) -> QuerySet[Wallet]:
    """The wallets whose organization is out of credits now.

    Where nobody has touched the new week's bundle yet, it has ended the shortage all the same.
    """
    monday = week_start(now)
    untouched = Q(bundle_week=None) | Q(bundle_week__lt=monday.date())
    ended = untouched & Q(out_of_credits_at__lt=monday, organization__weekly_credits__gt=0)
    return Wallet.objects.filter(out_of_credits_at__isnull=False).exclude(ended)


def failing_emails() -> QuerySet[Email]:
    """Emails that failed and are tried again."""
    return Email.objects.filter(next_attempt_at__isnull=False).exclude(error="")


def refills_of_week(now: datetime) -> QuerySet[JobRun]:
    """The runs of the refill for the week that holds `now`, the newest first.

    Once one of them is `done`, no wallet is due: whoever spends in this week has its bundle by it.
    """
    monday = week_start(now)
    return JobRun.objects.filter(
        job=JobRun.Job.REFILL, as_of__gte=monday, as_of__lt=monday + timedelta(days=7)
    )


def last_ledger_check() -> JobRun | None:
    """The newest check that has come to an end."""
    checks = JobRun.objects.filter(job=JobRun.Job.LEDGER_CHECK, finished_at__isnull=False)
    return checks.first()
