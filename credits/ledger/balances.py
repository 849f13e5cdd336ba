"""What an organization can spend, now and at any moment before."""

from dataclasses import dataclass
from datetime import datetime

from credits.ledger import database
from credits.ledger.weeks import week_start
from credits.models import Entry, Grant, Organization


@dataclass(frozen=True, slots=True)
class Balance:
    """Whole credits that can be spent, by kind of grant (`weekly`, `top_up`, `staff`)."""

    by_kind: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_kind.values())


def balance(organization: Organization, *, now: datetime) -> Balance:
    """What can be spent right now, with the week's bundle even if nobody has touched it yet."""
    found = {
        row["kind"]: row["credits"] for row in database.rows("ledger_balance", organization.pk, now)
    }
    return Balance({kind: found.get(kind, 0) for kind in Grant.Kind.values})


def balance_at(organization: Organization, *, at: datetime) -> Balance:
    """What could be spent at a moment in the past, as the ledger's entries tell it.

    A week's bundle that was never written down counts at the organization's present bundle size.
    """
    by_kind = dict.fromkeys(Grant.Kind.values, 0)
    newest = (
        Entry.objects.filter(organization=organization, created_at__lte=at)
        .order_by("grant_id", "-seq")
        .distinct("grant_id")
        .select_related("grant")
    )
    weeks = set()
    for entry in newest:
        weeks.add(entry.grant.week)
        if entry.grant.expires_at is None or entry.grant.expires_at > at:
            by_kind[entry.grant.kind] += entry.remaining_after
    if organization.created_at <= at and week_start(at).date() not in weeks:
        by_kind[Grant.Kind.WEEKLY] += organization.weekly_credits
    return Balance(by_kind)
