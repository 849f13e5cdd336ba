"""Read-only queries for pages; nothing here changes a row."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    F,
    Func,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Cast, TruncDate

from credits.ledger.weeks import week_start
from credits.models import Entry, Grant, Organization, Spend, Wallet

RECENT_ROWS = 20


class Available(Func):
    """The whole credits each organization of a query can spend at a moment."""

    function = "ledger_available"
    output_field = BigIntegerField()

    def __init__(self, now: datetime) -> None:
        super().__init__(F("pk"), Value(now))


def present_grants(organization: Organization, *, now: datetime) -> QuerySet[Grant]:
    """The grants a spend would draw from, and those with frozen or missing credits, in order."""
    usable = Q(is_open=True, starts_at__lte=now) & (Q(expires_at=None) | Q(expires_at__gt=now))
    unsettled = Q(clawback__freeze_credits__gt=0) | Q(clawback__outstanding_credits__gt=0)
    return organization.grants.select_related("clawback").filter(usable | unsettled)


def untouched_bundle(organization: Organization, *, now: datetime) -> int:
    """This week's free credits while no grant holds them yet: their first use writes it down."""
    written = Wallet.objects.filter(
        organization=organization, bundle_week__gte=week_start(now).date()
    )
    return 0 if written.exists() else organization.weekly_credits


def recent_spends(organization: Organization) -> QuerySet[Spend]:
    return organization.spends.select_related("action", "api_key")[:RECENT_ROWS]


def recent_entries(organization: Organization) -> QuerySet[Entry]:
    return organization.entries.select_related("grant", "spend__action", "actor")[:RECENT_ROWS]


USAGE_GROUPS = {
    "action": F("action__code"),
    "service": F("action__service__name"),
    "day": Cast(TruncDate("created_at", tzinfo=UTC), CharField()),
}


def usage(
    organization: Organization, *, start: datetime, end: datetime, by: str
) -> list[dict[str, Any]]:
    """What was spent from `start` up to `end`, by `action`, `service` or `day` (UTC).

    Credits are what the spends kept: refunds and the released part of holds are left out.
    """
    kept = F("credits") - F("released_credits") - F("refunded_credits")
    return [
        dict(row)
        for row in organization.spends.filter(
            status=Spend.Status.SPENT, created_at__gte=start, created_at__lt=end
        )
        .values(name=USAGE_GROUPS[by])
        .annotate(spends=Count("*"), quantity=Sum("quantity"), credits=Sum(kept))
        .order_by("name")
    ]
