"""Monday 00:00 UTC: leftovers lapse, the new bundle is there, bought credits stay."""

import uuid
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from credits import ledger
from credits.ledger import audit
from credits.models import Entry, Grant, Organization
from tests.credits.support import MONDAY, entries

WEEK = timedelta(days=7)
LAST_MOMENT = MONDAY - timedelta(microseconds=1)


def total(organization, at):
    return ledger.balance(organization, now=at).total


def test_the_boundary_is_exact_to_the_microsecond(api, organization, set_clock):
    set_clock(LAST_MOMENT)
    assert api.spend(quantity=50).status_code == 201
    assert api.spend().status_code == 402
    set_clock(MONDAY)
    assert api.spend(quantity=50).status_code == 201
    assert api.spend().json()["next_refill"]["at"] == "2026-11-30T00:00:00Z"
    weeks = organization.grants.order_by("week").values_list("week", flat=True)
    assert list(weeks) == [date(2026, 11, 16), date(2026, 11, 23)]


def test_leftovers_lapse_and_bought_credits_stay(api, organization, set_clock):
    set_clock(LAST_MOMENT)
    ledger.grant(
        organization, 500, kind=Grant.Kind.TOP_UP, purchase_id=uuid.uuid4(), now=LAST_MOMENT
    )
    api.spend(quantity=10)
    assert ledger.balance(organization, now=LAST_MOMENT).by_kind == {
        "weekly": 40,
        "top_up": 500,
        "staff": 0,
    }
    assert ledger.balance(organization, now=MONDAY).by_kind == {
        "weekly": 50,
        "top_up": 500,
        "staff": 0,
    }
    set_clock(MONDAY)
    api.spend(quantity=51)
    assert ledger.balance(organization, now=MONDAY).by_kind["top_up"] == 499
    assert ("expire", -40) in [entry[1:] for entry in entries(organization)]


def test_an_idle_organization_costs_nothing_and_loses_nothing(organization):
    assert total(organization, MONDAY + 10 * WEEK) == 50
    assert sum(ledger.refill(now=MONDAY + 10 * WEEK)) == 0
    assert Entry.objects.count() == 0


def test_refill_writes_what_the_calendar_says_and_only_once(organization):
    others = [Organization.objects.create(name=f"Other {n}", weekly_credits=n) for n in range(5)]
    ledger.spend(organization, "alt-text.generate", now=LAST_MOMENT)
    ledger.spend(others[3], "alt-text.generate", now=LAST_MOMENT)
    assert list(ledger.refill(now=MONDAY, chunk=1)) == [1, 1]
    assert list(ledger.refill(now=MONDAY, chunk=1)) == []
    assert entries(organization)[2:] == [(3, "expire", -49), (4, "grant", 50)]
    assert [grant.week for grant in others[3].grants.all()] == [
        date(2026, 11, 16),
        date(2026, 11, 23),
    ]
    assert not others[4].entries.exists()
    assert list(ledger.refill(now=MONDAY + WEEK)) == []


def test_refill_gives_no_empty_bundle(organization):
    ledger.spend(organization, "alt-text.generate", now=LAST_MOMENT)
    ledger.change_bundle(organization, 0, now=LAST_MOMENT)
    assert sum(ledger.refill(now=MONDAY)) == 1
    assert entries(organization)[2:] == [(3, "expire", -49)]
    assert total(organization, MONDAY) == 0


@pytest.mark.parametrize("spends", [1, 2])
def test_who_gets_a_bundle_after_it_spent_is_refilled_with_it(staff, spends):
    organization = Organization.objects.create(name="Late", weekly_credits=0)
    ledger.adjust(organization, 20, reason="help", actor=staff, now=LAST_MOMENT)
    tuesday = MONDAY + timedelta(days=1)
    items = [ledger.SpendItem(organization, "alt-text.generate")] * spends
    ledger.spend_batch(items, now=tuesday)
    assert list(ledger.refill(now=tuesday)) == []
    ledger.change_bundle(organization, 100, now=tuesday)
    assert list(ledger.refill(now=MONDAY + WEEK)) == [1]
    assert total(organization, MONDAY + WEEK) == 120 - spends


def test_one_chunk_lapses_whatever_each_organization_has_left(staff):
    """All of the bundle, part of it, none, and gifts of staff that lapse before and after it."""
    used_up, frugal, gifted, bundleless = (
        Organization.objects.create(name=name, weekly_credits=9) for name in "ABCD"
    )
    gifts = {"reason": "help", "actor": staff, "now": LAST_MOMENT - timedelta(hours=1)}
    ledger.adjust(gifted, 5, expires_at=MONDAY + timedelta(hours=1), **gifts)
    ledger.adjust(gifted, 6, expires_at=LAST_MOMENT, **gifts)
    ledger.adjust(gifted, 7, expires_at=MONDAY + WEEK, **gifts)
    for organization, quantity in ((used_up, 9), (frugal, 2), (gifted, 1), (bundleless, 9)):
        ledger.spend(organization, "alt-text.generate", quantity=quantity, now=LAST_MOMENT)
    ledger.change_bundle(bundleless, 0, now=LAST_MOMENT)

    assert list(ledger.refill(now=MONDAY + timedelta(hours=2))) == [4]
    assert [entry[1:] for entry in entries(used_up)[2:]] == [("grant", 9)]
    assert [entry[1:] for entry in entries(frugal)[2:]] == [("expire", -7), ("grant", 9)]
    lapsed = [entry[1:] for entry in entries(gifted) if entry[1] == "expire"]
    assert lapsed == [("expire", -6), ("expire", -8), ("expire", -5)]
    assert entries(gifted)[-1][1:] == ("grant", 9)
    assert total(gifted, MONDAY + timedelta(hours=2)) == 16
    assert [entry[1] for entry in entries(bundleless)] == ["grant", "spend"]
    assert list(audit.findings()) == []


def test_refill_reads_of_many_organizations_those_that_are_due(organization):
    """Neither a chunk, nor the hourly run that finds nothing to do, reads a whole table."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "INSERT INTO credits_organization (id, public_id, name, weekly_credits, show_balance,"
            " created_at) SELECT 1000000 + i, 'org_' || i, 'Other', 9, false, now()"
            " FROM generate_series(1, 20000) i"
        )
        cursor.execute(
            "INSERT INTO credits_wallet (organization_id, bundle_week, used_since_refill)"
            " SELECT 1000000 + i, '2026-11-16', i % 8 = 0 FROM generate_series(1, 20000) i"
        )
        cursor.execute(
            "INSERT INTO credits_grant (organization_id, kind, priority, amount, remaining, week,"
            " starts_at, expires_at, created_at) SELECT 1000000 + i, 'weekly', 10, 9, 5,"
            " '2026-11-16', '2026-11-16T00:00Z', '2026-11-23T00:00Z', '2026-11-16T00:00Z'"
            " FROM generate_series(1, 20000) i"
        )
        cursor.execute("SET LOCAL session_replication_role = DEFAULT; ANALYZE")
    before = rows_of_whole_tables_read()
    assert list(ledger.refill(now=MONDAY, chunk=1500)) == [1500, 1000]
    assert list(ledger.refill(now=MONDAY)) == []
    assert rows_of_whole_tables_read() == before
    ids = Grant.objects.filter(week=MONDAY.date()).order_by("organization").values_list("pk")
    assert {id_.version for (id_,) in ids} == {7}
    assert list(ids) == sorted(ids)


def rows_of_whole_tables_read() -> int:
    """Rows that sequential scans have read in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("worker", ["dead", "alive", "twice", "late"])
def test_three_mondays_tell_the_same_ledger_whatever_the_worker_does(organization, worker):
    refilled = []
    for week in range(3):
        monday = MONDAY + week * WEEK
        if worker in ("alive", "twice"):
            refilled.append(sum(ledger.refill(now=monday)))
        if worker == "twice":
            refilled.append(sum(ledger.refill(now=monday + timedelta(minutes=20))))
        if worker == "late" and week:
            refilled.append(sum(ledger.refill(now=monday + timedelta(days=3))))
        ledger.spend(organization, "alt-text.generate", quantity=7, now=monday + WEEK / 2)
    assert (
        refilled
        == {
            "dead": [],
            "alive": [0, 1, 1],
            "twice": [0, 0, 1, 0, 1, 0],
            "late": [1, 1],
        }[worker]
    )
    assert [
        (entry.seq, entry.kind, entry.credits, entry.remaining_after, entry.grant.week.day)
        for entry in organization.entries.order_by("seq").select_related("grant")
    ] == [
        (1, "grant", 50, 50, 23),
        (2, "spend", -7, 43, 23),
        (3, "expire", -43, 0, 23),
        (4, "grant", 50, 50, 30),
        (5, "spend", -7, 43, 30),
        (6, "expire", -43, 0, 30),
        (7, "grant", 50, 50, 7),
        (8, "spend", -7, 43, 7),
    ]


def test_a_bundle_change_counts_from_the_next_monday(organization):
    ledger.change_bundle(organization, 10, now=LAST_MOMENT)
    assert total(organization, LAST_MOMENT) == 50
    assert total(organization, MONDAY) == 10


def test_balance_at_a_past_moment_is_what_it_was(organization, staff):
    ledger.spend(organization, "alt-text.generate", quantity=5, now=MONDAY + timedelta(hours=1))
    ledger.adjust(
        organization, 7, reason="help", actor=staff, now=MONDAY + timedelta(hours=2),
        expires_at=MONDAY + timedelta(hours=4),
    )  # fmt: skip
    ledger.spend(organization, "alt-text.generate", quantity=50, now=MONDAY + timedelta(hours=3))
    Organization.objects.update(created_at=MONDAY - WEEK)
    organization.refresh_from_db()
    moments = {
        -1: 50, 0: 50, 1: 45, 2: 52, 3: 2, 4: 0,
    }  # fmt: skip
    assert {
        hours: ledger.balance_at(organization, at=MONDAY + timedelta(hours=hours)).total
        for hours in moments
    } == moments


def test_balance_at_counts_a_hold_past_its_time_as_free_again(organization):
    noon = MONDAY + timedelta(hours=12)
    ledger.hold(organization, "alt-text.generate", quantity=10, now=noon)
    Organization.objects.update(created_at=MONDAY - WEEK)
    organization.refresh_from_db()
    moments = [noon, noon + timedelta(minutes=14), noon + timedelta(minutes=20)]
    assert [ledger.balance_at(organization, at=at).total for at in moments] == [40, 40, 50]
    list(ledger.settle_overdue(now=noon + timedelta(hours=1)))
    assert [ledger.balance_at(organization, at=at).total for at in moments] == [40, 40, 50]
    after = noon + timedelta(hours=2)
    assert ledger.balance_at(organization, at=after) == ledger.balance(organization, now=after)


def test_balance_at_tells_the_bundle_of_a_week_from_before_it_changed(organization):
    Organization.objects.update(created_at=MONDAY - WEEK)
    organization.refresh_from_db()
    ledger.change_bundle(organization, 10, now=MONDAY + timedelta(days=1))
    assert ledger.balance_at(organization, at=MONDAY).total == 50


def test_the_refill_command_shows_progress_and_takes_a_moment(organization):
    ledger.spend(organization, "alt-text.generate", now=LAST_MOMENT)
    out = StringIO()
    call_command("refill", now="2026-11-23T00:00:00Z", stdout=out)
    assert "week of 2026-11-23" in out.getvalue()
    assert "1 organizations refilled" in out.getvalue()
    with pytest.raises(CommandError, match="2026-11-30T00:00:00Z"):
        call_command("refill", now="Monday")


def test_balance_at_tells_a_week_without_a_bundle_as_it_is(organization):
    Organization.objects.update(created_at=MONDAY - WEEK, weekly_credits=0)
    organization.refresh_from_db()
    tuesday = MONDAY + timedelta(days=1)
    ledger.change_bundle(organization, 50, now=tuesday)
    assert ledger.balance(organization, now=tuesday).total == 0
    assert ledger.balance_at(organization, at=tuesday).total == 0


def test_in_production_the_refill_command_does_not_run_ahead_of_time(organization, settings):
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="future"):
        call_command("refill", now="2126-11-23T00:00:00Z")
