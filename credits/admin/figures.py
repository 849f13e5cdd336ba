"""What the dashboard tells about credits, and about the jobs that look after them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.template.defaultfilters import date as formatted
from django.template.defaultfilters import pluralize, truncatechars

from credits import figures
from credits.admin import dashboard
from credits.admin.base import change_url
from credits.admin.dashboard import Cell, Chart, Look, Row, Table, Tile, counting_tile, list_url
from credits.charts import Day, UsageChart, days_until
from credits.figures import CreditTotals, Period
from credits.ledger.weeks import week_start
from credits.models import Entry, Grant, JobRun, Service, TotalsMark

STALE_AFTER = timedelta(minutes=10)
# By then the hourly catch-up has made up for a Monday that was missed.
REFILLED_WITHIN = timedelta(hours=2)
RUNS_AT_MOST = timedelta(hours=1)
CHECKED_WITHIN = timedelta(hours=36)

CHART_DAYS = (14, 30)


def tiles(look: Look) -> Iterator[Tile]:
    if look.may("credits.view_entry"):
        yield from _stale_totals(look.now)
    if look.may("credits.view_organization"):
        url = list_url("credits.organization", out_of_credits="yes")
        empty = figures.out_of_credits(now=look.now)
        yield counting_tile("Out of credits", empty, "Organizations now", "neutral", url)
    if look.may("credits.view_jobrun"):
        yield _refill(look.now)
        yield _ledger_check(look.now)
    if look.may("credits.view_email"):
        url, failing = list_url("credits.email", failing="yes"), figures.failing_emails()
        yield counting_tile("Failing emails", failing, "Tried again", "warning", url)


def _stale_totals(now: datetime) -> Iterator[Tile]:
    as_of = _totals_as_of()
    if as_of is None and not Entry.objects.exists():
        return
    if as_of is None or now - as_of > STALE_AFTER:
        since = f" since {_moment(as_of)}" if as_of else ""
        detail = f"Nothing is counted{since}. Is a worker running?"
        yield Tile("Totals of credits", "Behind", detail, "warning")


def _refill(now: datetime) -> Tile:
    runs = list(figures.refills_of_week(now))
    value, detail, state = _refill_state(runs, now)
    monday = week_start(now).date()
    url = list_url("credits.jobrun", job__exact=JobRun.Job.REFILL.value, as_of_from=monday)
    return Tile("Refill of this week", value, detail, state, url)


def _refill_state(runs: list[JobRun], now: datetime) -> tuple[str, str, dashboard.State]:
    """What the week's runs, newest first, have come to."""
    count = sum(run.count for run in runs)
    recharged = f"{count:,} organization{pluralize(count)} recharged"
    done = next((run for run in runs if run.outcome == JobRun.Outcome.DONE), None)
    if runs and runs[0].outcome == JobRun.Outcome.BROKE_OFF:
        return "Broke off", f"{recharged}. {truncatechars(runs[0].summary, 100)}", "danger"
    if done:
        return "Done", f"{recharged}; none was left at {_moment(done.finished_at)}", "ok"
    if runs and now - runs[0].started_at < RUNS_AT_MOST:
        return "Running", f"{recharged} so far", "neutral"
    if runs:
        return "Cut off", f"{recharged}; others may still be due", "warning"
    if now - week_start(now) < REFILLED_WITHIN:
        return "Due", "It began at 00:00 UTC and runs hourly", "neutral"
    if JobRun.objects.filter(job=JobRun.Job.REFILL).exists():
        return "Missed", "It has not run this week; it should every hour", "warning"
    return "Not yet", "It runs every hour", "neutral"


def _ledger_check(now: datetime) -> Tile:
    title, check = "Ledger check", figures.last_ledger_check()
    if check is None:
        url = list_url("credits.jobrun", job__exact=JobRun.Job.LEDGER_CHECK.value)
        return Tile(title, "Not yet", "It runs every night", "neutral", url)
    at, url = f"Checked {_moment(check.finished_at)}", change_url(check)
    if check.outcome == JobRun.Outcome.FINDINGS:
        rows = f"{check.count:,} row{pluralize(check.count, ' is,s are')}"
        return Tile(title, f"{rows} off", at, "danger", url)
    if check.outcome == JobRun.Outcome.BROKE_OFF:
        return Tile(title, "Broke off", at, "warning", url)
    late = now - check.started_at > CHECKED_WITHIN
    return Tile(title, "Sound", at, "warning" if late else "ok", url)


def tables(look: Look) -> Iterator[Table]:
    if look.may("credits.view_entry"):
        as_of = _totals_as_of()
        counted_until = f"As of {_moment(as_of)}." if as_of else "Nothing is counted yet."
        note = f"{counted_until} Spent is before what was given back; holds count once captured."
        rows = list(_credit_rows(CreditTotals(look.periods), look.periods))
        yield Table("Credits", note, rows)


def _credit_rows(totals: CreditTotals, periods: list[Period]) -> Iterator[Row]:
    def moved(name: str, *kinds: str, sign: int = 1, **of: Any) -> Row:
        numbers = [sign * credits for credits in totals.of(kinds, **of)]
        urls = [_entries_url(kinds, period, **of) for period in periods]
        return dashboard.row(name, numbers, urls, is_part=bool(of))

    yield moved("Granted", Entry.Kind.GRANT)
    for kind in Grant.Kind:
        name = "Top-ups, sold" if kind == Grant.Kind.TOP_UP else kind.label
        yield moved(name, Entry.Kind.GRANT, grant_kind=kind.value)
    yield moved("Spent", Entry.Kind.SPEND, sign=-1)
    for service in Service.objects.all():
        spent = moved(service.name, Entry.Kind.SPEND, sign=-1, service=service.pk)
        if any(cell.url for cell in spent.cells):
            yield spent
    yield moved("Given back for spends", Entry.Kind.REFUND)
    yield moved("Lapsed", Entry.Kind.EXPIRE, sign=-1)
    yield moved("Taken back", Entry.Kind.REVOKE, Entry.Kind.RESTORE, sign=-1)
    yield moved("Taken by staff", Entry.Kind.ADJUST, sign=-1)


def _entries_url(kinds: Sequence[str], period: Period, **of: object) -> str:
    kind = {"kind__exact": kinds[0]} if len(kinds) == 1 else {"kind__in": ",".join(kinds)}
    return list_url("credits.entry", **kind, **of, **dashboard.days("created_at", period))


def charts(look: Look) -> Iterator[Chart]:
    if look.may("credits.view_entry"):
        days = _chosen_days(look)
        shown = days_until(look.now.astimezone(UTC).date(), days)
        bars = UsageChart(figures.spent_by_day(first=shown[0], last=shown[-1]), shown)
        rows = [(day, _chart_cells(bars, day, numbers)) for day, numbers in bars.rows]
        note = "Before what was given back. Days begin at 00:00 UTC, and today is not over."
        yield Chart("Credits spent by day", note, bars, rows, days, CHART_DAYS)


def _chosen_days(look: Look) -> int:
    asked = look.request.GET.get("days")
    return next((days for days in CHART_DAYS if str(days) == asked), CHART_DAYS[0])


def _chart_cells(bars: UsageChart, day: Day, numbers: list[int]) -> list[Cell]:
    """What each service spent on a day, then all of them; several told together lead nowhere."""
    spent, period = (Entry.Kind.SPEND,), Period("Day", day.day, day.day)
    cells = [
        Cell(
            f"{number:,}",
            _entries_url(spent, period, service=series.service.pk)
            if number and series.service
            else "",
        )
        for series, number in zip(bars.series, numbers, strict=True)
    ]
    return [*cells, Cell(f"{day.total:,}", _entries_url(spent, period))]


def _totals_as_of() -> datetime | None:
    return TotalsMark.objects.values_list("as_of", flat=True).first()


def _moment(at: datetime | None) -> str:
    """To the minute; the page says that all of it is UTC."""
    return formatted(at, "M j, H:i \\U\\T\\C")


dashboard.TILES.append(tiles)
dashboard.TABLES.append(tables)
dashboard.CHARTS.append(charts)
