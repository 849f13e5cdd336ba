"""What an organization can spend, now and at any moment before."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from credits.ledger import database
from credits.ledger.weeks import week_start
from credits.models import Entry, Grant, Organization, Spend, Wallet


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


def balance_at(organization: Organization, *, at: datetime) -> Balance:
    """What could be spent at a moment in the past, as the ledger's entries tell it.

    A past week without a bundle on record, idle or with a bundle of none, counts at the size the
    organization's bundle has at present. Holds past their time count without what clawbacks took
    when they came home, or would take now.

    >>> ledger.balance_at(acme, at=datetime(2026, 11, 23, 12, tzinfo=UTC)).total
    45
    """
    by_kind = dict.fromkeys(Grant.Kind.values, 0)
    for entry in _newest_entries(organization, at):
        by_kind[entry.grant.kind] += entry.remaining_after
    overdue = _overdue_holds(organization, at)
    for entry in overdue:
        by_kind[entry.grant.kind] -= entry.credits
    by_kind[Grant.Kind.TOP_UP] -= _clawed_back(overdue)
    by_kind[Grant.Kind.WEEKLY] += _unwritten_bundle(organization, at)
    return Balance(by_kind)


def _newest_entries(organization: Organization, at: datetime) -> QuerySet[Entry]:
    """Of each grant that was open at a moment, its last entry until then."""
    return (
        _entries_of_unlapsed_grants(organization, at)
        .order_by("grant_id", "-seq")
        .distinct("grant_id")
    )


def _overdue_holds(organization: Organization, at: datetime) -> QuerySet[Entry]:
    """What holds past their time had set aside that nobody had released yet."""
    released = Entry.objects.filter(spend=OuterRef("spend"), kind="release", created_at__lte=at)
    return _entries_of_unlapsed_grants(organization, at).filter(
        ~Exists(released), kind=Entry.Kind.HOLD, spend__hold_expires_at__lte=at
    )


def _clawed_back(holds: QuerySet[Entry]) -> int:
    """What clawbacks of top-ups took of these holds as they came home, or would take now."""
    taken = Entry.objects.filter(
        kind__in=(Entry.Kind.REVOKE, Entry.Kind.FREEZE),
        spend__in=holds.values("spend"),
        grant__in=holds.values("grant"),
    )
    waiting = (
        holds.filter(spend__status=Spend.Status.HELD, grant__clawback__isnull=False)
        .values("grant")
        .annotate(held=-Sum("credits"))
        .values_list("held", "grant__clawback__outstanding_credits")
    )
    total: int = taken.aggregate(total=-Sum("credits", default=0))["total"]
    return total + sum(int(min(parts)) for parts in waiting)


def _entries_of_unlapsed_grants(organization: Organization, at: datetime) -> QuerySet[Entry]:
    unlapsed = Q(grant__expires_at=None) | Q(grant__expires_at__gt=at)
    entries = Entry.objects.filter(unlapsed, organization=organization, created_at__lte=at)
    return entries.select_related("grant")


def _unwritten_bundle(organization: Organization, at: datetime) -> int:
    """The free credits of the week that no entry had written down until then."""
    if at < organization.created_at:
        return 0
    week = week_start(at).date()
    bundle = organization.grants.filter(week=week).first()
    if bundle:
        return bundle.amount if bundle.created_at > at else 0
    was_empty = Wallet.objects.filter(organization=organization, bundle_week=week).exists()
    return 0 if was_empty else organization.weekly_credits
