"""What the first tab of an organization tells: its balance, how that went, and its grants."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.http import Http404, HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from credits import balance_history, ledger, reports
from credits.admin import tabs
from credits.admin.base import label, link
from credits.admin.tables import number, table
from credits.charts import BalanceChart, days_until
from credits.models import Clawback, Entry, Grant, Organization, User

GRANT_LABELS = {"weekly": "info", "top_up": "success", "staff": "warning"}
MOST_GRANTS = 100
PERIODS_DAYS = (30, 90)
LAST_INSTANT = timedelta(days=1) - timedelta(microseconds=1)


class Overview:
    """Read by the template beside the form of settings, each part in its own table."""

    periods = PERIODS_DAYS

    def __init__(self, organization: Organization, user: User, *, days: int, now: datetime) -> None:
        self.organization = organization
        self.user = user
        self.days = days
        self.now = now
        self.balance = ledger.balance(organization, now=now)
        self.next_refill_at = ledger.next_refill_at(now)

    @property
    def kinds(self) -> list[tuple[str, int]]:
        return [(Grant.Kind(kind).label, left) for kind, left in self.balance.by_kind.items()]

    @cached_property
    def chart(self) -> BalanceChart:
        """The balance at the end of each day (UTC), and now at that of today."""
        days = days_until(self.now.astimezone(UTC).date(), self.days)
        ends = [datetime.combine(day, time(), UTC) + LAST_INSTANT for day in days[:-1]]
        return BalanceChart(days, balance_history.balances(self.organization, [*ends, self.now]))

    @property
    def grants(self) -> dict[str, Any]:
        grants = reports.present_grants(self.organization, now=self.now)[:MOST_GRANTS]
        rows = [self._grant_row(grant) for grant in grants]
        if bundle := reports.untouched_bundle(self.organization, now=self.now):
            rows.insert(0, _untouched_row(bundle, self.next_refill_at))
        return table(("Kind", "Left", "Of", "Given", "Lapses", "Grant", "Do"), rows)

    def _grant_row(self, grant: Grant) -> list[Any]:
        return [
            kind_label(grant),
            noted(grant.remaining, money_back(grant)),
            number(grant.amount),
            grant.created_at,
            grant.expires_at or "Never",
            link(grant, str(grant.pk)[-12:]),
            tabs.revoke(self.user, grant),
        ]


def chosen_days(request: HttpRequest) -> int:
    """How many days the chart shows; raises Http404 for a number that is not offered."""
    text = request.GET.get("days", str(PERIODS_DAYS[0]))
    if text not in map(str, PERIODS_DAYS):
        raise Http404("The chart does not show so many days.")
    return int(text)


def kind_label(grant: Grant) -> str:
    return label(grant.get_kind_display(), GRANT_LABELS[grant.kind])


def noted(value: int, note: str) -> str:
    if not note:
        return number(value)
    return format_html('{} <span class="text-subtle">({})</span>', number(value), note)


def money_back(grant: Grant) -> str:
    """What became of a top-up's credits whose money went back, in words; empty where none did.

    >>> money_back(grant)
    '30 taken back, 20 frozen'
    """
    clawback: Clawback | None = getattr(grant, "clawback", None)
    if clawback is None:
        return ""
    parts = {
        "taken back": clawback.revoked_credits,
        "collected elsewhere": clawback.collected_credits,
        "used already": clawback.shortfall,
        "frozen": clawback.frozen_credits,
    }
    return ", ".join(f"{credits:,} {fate}" for fate, credits in parts.items() if credits)


def _untouched_row(bundle: int, lapses_at: datetime) -> list[Any]:
    kind = label(Grant.Kind.WEEKLY.label, GRANT_LABELS[Grant.Kind.WEEKLY])
    waiting = "Written down with its first use"
    return [kind, number(bundle), number(bundle), waiting, lapses_at, None, None]


def why(entry: Entry) -> str | None:
    """The spend an entry belongs to, and the reason and name that staff gave for it."""
    spend = link(entry.spend, entry.spend.action.code) if entry.spend else ""
    actor = format_html('<span class="text-subtle">{}</span>', entry.actor) if entry.actor else ""
    parts = [(part,) for part in (spend, entry.reason, actor) if part]
    return format_html_join(mark_safe("<br>"), "{}", parts)
