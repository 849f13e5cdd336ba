"""What the page of one organization tells: its balance, grants, keys and latest activity."""

from datetime import datetime
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from credits import ledger, reports
from credits.admin.base import key_status, label, link
from credits.admin.tables import number, table
from credits.models import ApiKey, Clawback, Entry, Grant, Organization, Spend

GRANT_LABELS = {"weekly": "info", "top_up": "success", "staff": "warning"}
SPEND_LABELS = {"spent": "success", "held": "warning"}


class Overview:
    """Read by the templates beside the change form, each part in its own table."""

    def __init__(self, organization: Organization, now: datetime) -> None:
        self.organization = organization
        self.now = now
        self.balance = ledger.balance(organization, now=now)
        self.next_refill_at = ledger.next_refill_at(now)

    @property
    def kinds(self) -> list[tuple[str, int]]:
        return [(Grant.Kind(kind).label, left) for kind, left in self.balance.by_kind.items()]

    @property
    def grants(self) -> dict[str, Any]:
        rows = [_grant_row(g) for g in reports.present_grants(self.organization, now=self.now)]
        if bundle := reports.untouched_bundle(self.organization, now=self.now):
            rows.insert(0, _untouched_row(bundle, self.next_refill_at))
        return table(("Kind", "Left", "Of", "Given", "Lapses", "Grant"), rows)

    @property
    def spends(self) -> dict[str, Any]:
        headers = ("When", "Action", "Quantity", "Credits", "Status", "Reference", "Left after")
        return table(headers, map(_spend_row, reports.recent_spends(self.organization)))

    @property
    def entries(self) -> dict[str, Any]:
        headers = ("No.", "When", "What", "Credits", "Left in grant", "Grant", "Why")
        return table(headers, map(_entry_row, reports.recent_entries(self.organization)))

    @property
    def api_keys(self) -> dict[str, Any]:
        keys = self.organization.api_keys.all()
        rows = (_key_row(key, self.now) for key in keys)
        return table(("Name", "Key", "Status", "Expires", "Last used"), rows)


def _kind(grant: Grant) -> str:
    return label(grant.get_kind_display(), GRANT_LABELS[grant.kind])


def _noted(value: int, note: str) -> str:
    if not note:
        return number(value)
    return format_html('{} <span class="text-subtle">({})</span>', number(value), note)


def _grant_row(grant: Grant) -> list[Any]:
    return [
        _kind(grant),
        _noted(grant.remaining, money_back(grant)),
        number(grant.amount),
        grant.created_at,
        grant.expires_at or "Never",
        link(grant, str(grant.pk)[-12:]),
    ]


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
    return [kind, number(bundle), number(bundle), waiting, lapses_at, None]


def _spend_row(spend: Spend) -> list[Any]:
    return [
        spend.created_at,
        link(spend, spend.action.code),
        number(spend.quantity),
        _kept(spend),
        label(spend.get_status_display(), SPEND_LABELS.get(spend.status, "")),
        spend.reference,
        number(spend.balance_after),
    ]


def _kept(spend: Spend) -> str:
    back = spend.released_credits + spend.refunded_credits
    return _noted(spend.credits, f"{back:,} given back" if back else "")


def _entry_row(entry: Entry) -> list[Any]:
    return [
        link(entry, str(entry.seq)),
        entry.created_at,
        entry.get_kind_display(),
        number(entry.credits, "+"),
        number(entry.remaining_after),
        _kind(entry.grant),
        why(entry),
    ]


def why(entry: Entry) -> str | None:
    """The spend an entry belongs to, and the reason and name that staff gave for it."""
    spend = link(entry.spend, entry.spend.action.code) if entry.spend else ""
    actor = format_html('<span class="text-subtle">{}</span>', entry.actor) if entry.actor else ""
    parts = [(part,) for part in (spend, entry.reason, actor) if part]
    return format_html_join(mark_safe("<br>"), "{}", parts)


def _key_row(key: ApiKey, now: datetime) -> list[Any]:
    return [
        link(key, key.name),
        f"{key.prefix}…",
        key_status(key, now),
        key.expires_at or "Never",
        key.last_used_at or "Never",
    ]
