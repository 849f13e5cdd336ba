"""The totals count every entry once, whoever writes and whoever adds at the same time."""

from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from credits import ledger, totals
from credits.ledger import audit
from credits.models import DayTotal, Entry, Grant, GrantMonth, Organization, TotalsMark
from tests.concurrency.threads import at_once
from tests.purchases import paid_purchase

ACTION = "alt-text.generate"
OCTOBER = datetime(2026, 10, 31, 12, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, 6, tzinfo=UTC)


@pytest.fixture
def organizations(committed_db) -> list[Organization]:
    names = ("Acme", "Birch", "Cedar", "Dune")
    return [Organization.objects.create(name=name, weekly_credits=50) for name in names]


def spent() -> int:
    return -(DayTotal.objects.filter(entry_kind="spend").aggregate(total=Sum("credits"))["total"])


def top_up(organization: Organization, credits: int, now: datetime) -> Grant:
    purchase = paid_purchase(organization, credits, now=now)
    kind = Grant.Kind.TOP_UP
    return ledger.grant(organization, credits, kind=kind, purchase_id=purchase.pk, now=now)


def test_entries_written_while_totals_are_added_are_in_them_once(organizations, monkeypatch):
    monkeypatch.setattr(totals, "ENTRIES_AT_ONCE", 3)

    def use_or_add(number: int) -> int:
        if number % 4 == 3:
            return totals.roll_up(now=timezone.now())
        return ledger.spend(organizations[number % 4], ACTION, now=timezone.now()).credits

    for _ in range(5):
        results = at_once(use_or_add, range(40))
        assert not [result for result in results if isinstance(result, Exception)]
    totals.roll_up(now=timezone.now())
    assert spent() == 150
    assert TotalsMark.objects.get().entry_id >= Entry.objects.latest("id").pk
    assert not list(audit.findings())


def test_an_entry_whose_transaction_is_still_open_is_waited_for(organizations):
    written, seen = Event(), Event()

    def slow_spend() -> None:
        with transaction.atomic():
            ledger.spend(organizations[0], ACTION, now=timezone.now())
            written.set()
            seen.wait(timeout=20)
        connection.close()

    slow = Thread(target=slow_spend)
    slow.start()
    written.wait(timeout=20)
    ledger.spend(organizations[1], ACTION, now=timezone.now())  # its ids are the higher ones
    adding = Thread(target=lambda: (totals.roll_up(now=timezone.now()), connection.close()))
    adding.start()
    adding.join(timeout=0.3)
    assert adding.is_alive()
    seen.set()
    slow.join()
    adding.join()
    assert spent() == 2


def test_a_transaction_that_hangs_puts_the_totals_off(organizations, monkeypatch):
    monkeypatch.setattr(totals, "PATIENCE_SECONDS", 0.1)
    ledger.spend(organizations[0], ACTION, now=timezone.now())
    with transaction.atomic():
        ledger.spend(organizations[1], ACTION, now=timezone.now())
        (added,) = at_once(lambda _: totals.roll_up(now=timezone.now()), range(1))
    assert added == 0
    assert not DayTotal.objects.exists()
    assert totals.roll_up(now=timezone.now()) > 0
    assert spent() == 2


def test_a_top_up_is_told_by_month(committed_db, monkeypatch):
    monkeypatch.setattr(totals, "ENTRIES_AT_ONCE", 4)
    acme = Organization.objects.create(name="Elm", weekly_credits=0)
    grant = top_up(acme, 100, OCTOBER)
    spend = ledger.spend(acme, ACTION, quantity=10, now=OCTOBER)
    hold = ledger.hold(acme, ACTION, quantity=7, expires_in_seconds=86_400, now=OCTOBER)
    totals.roll_up(now=OCTOBER)
    ledger.refund(acme.spends.get(pk=spend.id), credits=4, now=NOVEMBER)
    ledger.capture(acme.spends.get(pk=hold.id), credits=5, now=NOVEMBER)
    ledger.claw_back(grant.purchase_id, revoke=30, freeze=20, now=NOVEMBER, reason="Refunded")
    assert totals.roll_up(now=NOVEMBER) > 0
    assert totals.roll_up(now=NOVEMBER + timedelta(days=1)) == 0
    months = GrantMonth.objects.filter(grant=grant).order_by("month")
    told = ("granted", "used", "taken_back", "set_aside", "frozen", "closing")
    assert list(months.values_list(*told)) == [
        (100, 10, 0, 7, 0, 90),
        (0, 1, 30, -7, 20, 59),
    ]
    grant.refresh_from_db()
    assert grant.remaining == 59 - 20
    assert not list(audit.findings())


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("UPDATE credits_daytotal SET credits = credits - 1 WHERE entry_kind = 'spend'", "totals"),
        ("UPDATE credits_grantmonth SET closing = closing + 1", "months"),
    ],
)
def test_the_ledger_check_finds_a_wrong_total(organizations, change, check):
    top_up(organizations[0], 100, timezone.now())
    ledger.spend(organizations[0], ACTION, now=timezone.now())
    totals.roll_up(now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(change)
    (finding,) = audit.findings()
    assert finding.startswith(f"{check}: ")
