"""The week: when it starts, its free bundle, and the Monday refill."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from django.db import transaction

from credits.ledger import database
from credits.models import Organization, Wallet

# A spend whose wallet is in the chunk under way waits for its commit: for 2,000 up to 0.1 s, which
# were the slowest spends beside a refill, for 500 hardly longer than for the disk. Each chunk pays
# for a commit and a round trip: with 500 the whole takes 3 % longer than with 2,000.
REFILL_CHUNK = 500


def week_start(at: datetime) -> datetime:
    """Monday 00:00:00 UTC of the week that holds `at`."""
    day = at.astimezone(UTC).date()
    return datetime.combine(day - timedelta(days=day.weekday()), time(), UTC)


def next_refill_at(now: datetime) -> datetime:
    """The next Monday 00:00:00 UTC, when the next free credits come.

    >>> next_refill_at(datetime(2026, 11, 22, 23, 59, tzinfo=UTC)).isoformat()
    '2026-11-23T00:00:00+00:00'
    """
    return week_start(now) + timedelta(days=7)


def change_bundle(organization: Organization, weekly_credits: int, *, now: datetime) -> None:
    """Set the free credits of each week from the next Monday on.

    The bundle of the week under way is written down first, at its old size. The database refuses
    fewer than 0 and more than 1,000,000,000 credits (IntegrityError).

    >>> ledger.change_bundle(acme, 100, now=now)
    """
    with transaction.atomic():
        database.open_wallet(organization.pk, now)
        organization.weekly_credits = weekly_credits
        organization.save(update_fields=["weekly_credits"])
        # Who is out of credits waits for the next bundle, though nothing can be used meanwhile.
        Wallet.objects.filter(organization=organization, out_of_credits_at__isnull=False).update(
            used_since_refill=True
        )


def refill(*, now: datetime, chunk: int = REFILL_CHUNK) -> Iterator[int]:
    """Recharge every organization that used credits since its last refill.

    Last week's leftovers lapse and this week's bundle is written; bought credits stay. Works in
    chunks of `chunk` organizations, each committed on its own, and yields how many each one
    recharged. Whatever is already done is skipped, so it can be killed, repeated and run twice at
    once. Idle organizations are left alone: their bundle is a fact of the calendar.

    >>> sum(ledger.refill(now=now))
    1204
    """
    last: int | None = 0
    while True:
        done = database.row("ledger_refill", after=last, limit=chunk, now=now)
        last = done["last"]
        if last is None:
            return
        yield done["refilled"]
