"""What an organization can spend, now and at any moment before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery

from credits.ledger import database
from credits.ledger.weeks import week_start
from credits.models import Entry, Grant, Organization, Wallet


@dataclass(frozen=True, slots=True)
class Balance:
    """Whole credits that can be spent, by kind of grant (`weekly`, `top_up`, `staff`)."""

    by_kind: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_kind.values())


def balance(organization: Organization, *, now: datetime) -> Balance:
    """What can be spent right now, with the week's bundle even if nobody has touched it yet.

    >>> ledger.balance(acme, now=now).by_kind
    {'weekly': 50, 'top_up': 0, 'staff': 0}
    """
    rows = database.rows("ledger_balance", organization=organization.pk, at=now)
    found = {row["kind"]: row["credits"] for row in rows}
    return Balance({kind: found.get(kind, 0) for kind in Grant.Kind.values})


@dataclass(frozen=True, slots=True)
class Standing:
    """What one grant held at a moment, in whole credits.

    `remaining` is what its entries had left in it, and `overdue_credits` what holds past their time
    would have given back, had anybody released them.
    """

    grant: Grant
    at: datetime
    remaining: int
    overdue_credits: int
    last_entry_at: datetime

    @property
    def is_lapsed(self) -> bool:
        """Whether its time was up; an entry says so only with the wallet's next change."""
        return self.grant.expires_at is not None and self.grant.expires_at <= self.at

    @property
    def credits(self) -> int:
        """What could be spent of it."""
        return 0 if self.is_lapsed else self.remaining + self.overdue_credits


@dataclass(frozen=True, slots=True)
class UntouchedBundle:
    """The free credits of a week that no entry told of at the moment.

    `written_at` is when they were written down later; None where nobody has, and then they count at
    the size that the organization's bundle has at present.
    """

    credits: int
    week: date
    written_at: datetime | None


def balance_at(organization: Organization, *, at: datetime) -> Balance:
    """What could be spent at a moment in the past, as the ledger's entries tell it.

    A past week without a bundle on record, idle or with a bundle of none, counts at the size the
    organization's bundle has at present. Holds past their time count without what clawbacks took
    when they came home, or would take now. `ledger.explain` tells how it came about.

    >>> ledger.balance_at(acme, at=datetime(2026, 11, 23, 12, tzinfo=UTC)).total
    45
    """
    return sum_up(
        standings(organization, at=at, lapsed_since=None), untouched_bundle(organization, at=at)
    )


def sum_up(held: Iterable[Standing], bundle: UntouchedBundle | None) -> Balance:
    by_kind: dict[str, int] = dict.fromkeys(Grant.Kind.values, 0)
    for standing in held:
        by_kind[standing.grant.kind] += standing.credits
    if bundle:
        by_kind[Grant.Kind.WEEKLY] += bundle.credits
    return Balance(by_kind)


def standings(
    organization: Organization, *, at: datetime, lapsed_since: datetime | None
) -> list[Standing]:
    """What each grant held that had not lapsed at a moment, in burn-down order.

    Those that had lapsed are left out, or only those that had before `lapsed_since`. The last entry
    of a grant until the moment says what was left in it, however many came before.
    """
    ends_later = Q(expires_at__gte=lapsed_since) if lapsed_since else Q(expires_at__gt=at)
    grants = organization.grants.filter(Q(expires_at=None) | ends_later, created_at__lte=at)
    overdue = _overdue_credits(organization, at)
    return [
        Standing(grant, at, grant.left_then, overdue.get(grant.pk, 0), grant.moved_at)
        for grant in grants.annotate(
            left_then=_of_last_entry("remaining_after", at),
            moved_at=_of_last_entry("created_at", at),
        )
    ]


def _of_last_entry(field: str, at: datetime) -> Subquery:
    until_then = Entry.objects.filter(grant=OuterRef("pk"), created_at__lte=at)
    return Subquery(until_then.order_by("-created_at", "-seq").values(field)[:1])


# Only what is held still, or was until its time was up and longer, can have been set aside then: a
# hold in time for being captured or released was never overdue. Each kind has an index of its own,
# which the planner finds by the status as it is written here.
_OVERDUE_CREDITS = """
    WITH hold AS (
        SELECT id, true AS waits FROM credits_spend
        WHERE organization_id = %(organization)s AND status = 'held' AND hold_expires_at <= %(at)s
        UNION ALL
        SELECT id, false FROM credits_spend
        WHERE organization_id = %(organization)s AND status = 'expired'
            AND hold_expires_at <= %(at)s
    ),
    part AS (
        SELECT e.grant_id, e.spend_id, hold.waits, -sum(e.credits) AS credits
        FROM hold JOIN credits_entry e ON e.spend_id = hold.id
        WHERE e.kind IN ('hold', 'release') AND e.created_at <= %(at)s
        GROUP BY e.grant_id, e.spend_id, hold.waits
        HAVING sum(e.credits) < 0
    )
    SELECT part.grant_id, (
        sum(part.credits) - coalesce(sum(taken.credits), 0) - least(
            coalesce(sum(part.credits) FILTER (WHERE part.waits), 0),
            coalesce(c.outstanding_credits, 0)
        )
    )::bigint
    FROM part
    LEFT JOIN credits_clawback c ON c.grant_id = part.grant_id
    CROSS JOIN LATERAL (
        SELECT -sum(e.credits) AS credits FROM credits_entry e
        WHERE e.spend_id = part.spend_id AND e.grant_id = part.grant_id
            AND e.kind IN ('revoke', 'freeze')
    ) taken
    GROUP BY part.grant_id, c.outstanding_credits
"""


def _overdue_credits(organization: Organization, at: datetime) -> dict[UUID, int]:
    """By grant, what holds past their time had set aside that nobody had released yet.

    It is counted without what clawbacks of top-ups took as it came home, or would take now.
    """
    found = database.fetch(_OVERDUE_CREDITS, organization=organization.pk, at=at)
    return {grant: int(credits) for grant, credits in found}


def untouched_bundle(organization: Organization, *, at: datetime) -> UntouchedBundle | None:
    """The free credits of the week that no entry had written down until a moment; None for none."""
    if at < organization.created_at:
        return None
    week = week_start(at).date()
    bundle = organization.grants.filter(week=week).first()
    if bundle:
        is_later = bundle.created_at > at
        return UntouchedBundle(bundle.amount, week, bundle.created_at) if is_later else None
    was_empty = Wallet.objects.filter(organization=organization, bundle_week=week).exists()
    if was_empty or not organization.weekly_credits:
        return None
    return UntouchedBundle(organization.weekly_credits, week, None)
