"""A balance at any moment, and what made it: the same as the ledger itself says."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credits import ledger
from credits.ledger import explaining
from credits.models import Action, Entry, Grant, Spend
from tests.credits.acme import (
    ALT_TEXT,
    AT_NINE,
    REASON,
    TUESDAY,
    WEDNESDAY,
    a_week_at_acme,
    acme_since,
    assert_adds_up,
)
from tests.credits.support import MONDAY
from tests.purchases import paid_purchase

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)
NOON = MONDAY + timedelta(hours=12)


@pytest.fixture
def acme(staff):
    return a_week_at_acme(staff)


@pytest.fixture
def organization(db):
    return acme_since(MONDAY - WEEK)


def top_up(organization, credits: int, *, now: datetime, **fields) -> Grant:
    return ledger.grant(
        organization,
        credits,
        kind=Grant.Kind.TOP_UP,
        purchase_id=paid_purchase(organization, credits, now=now).pk,
        now=now,
        **fields,
    )


def spend(organization, quantity: int, *, now: datetime, **fields) -> Spend:
    made = ledger.spend(organization, ALT_TEXT, quantity=quantity, now=now, **fields)
    return Spend.objects.get(pk=made.id)


def hold(organization, quantity: int, *, now: datetime) -> Spend:
    made = ledger.hold(organization, ALT_TEXT, quantity=quantity, now=now)
    return Spend.objects.get(pk=made.id)


def held(explanation: ledger.Explanation) -> list[tuple[str, int]]:
    return [(one.grant.kind, one.standing.credits) for one in explanation.grants]


# A balance


def test_a_balance_is_told_grant_by_grant_with_the_entries_that_made_it(acme, staff):
    explanation = ledger.explain(acme.organization, at=WEDNESDAY)
    assert_adds_up(explanation)
    assert held(explanation) == [("staff", 96)]
    (given,) = explanation.grants
    assert (given.given.reason, given.given.actor) == (REASON, staff)
    assert [(entry.kind, entry.credits) for entry in reversed(given.entries)] == [
        ("grant", 100),
        ("hold", -12),
        ("release", 12),
        ("spend", -7),
        ("refund", 3),
    ]
    (used_up,) = explanation.ended
    assert (used_up.grant.kind, used_up.standing.remaining) == ("weekly", 0)


def test_what_came_later_is_not_told(acme):
    explanation = ledger.explain(acme.organization, at=AT_NINE)
    assert_adds_up(explanation)
    assert held(explanation) == [("weekly", 48)]
    assert [entry.seq for entry in explanation.grants[0].entries] == [2, 1]
    assert explanation.ended == ()


def test_grants_come_in_burn_down_order(organization, staff):
    top_up(organization, 500, now=NOON)
    ledger.adjust(organization, 20, reason="Gift", actor=staff, now=NOON)
    tomorrow = NOON + timedelta(days=1)
    ledger.adjust(organization, 10, reason="Gift", actor=staff, now=NOON, expires_at=tomorrow)
    assert held(ledger.explain(organization, at=NOON)) == [
        ("weekly", 50),
        ("staff", 10),
        ("staff", 20),
        ("top_up", 500),
    ]


def test_an_untouched_bundle_counts_and_says_when_it_was_written_down(organization):
    untouched = ledger.explain(organization, at=MONDAY)
    assert_adds_up(untouched)
    assert untouched.bundle == explaining.UntouchedBundle(50, MONDAY.date(), None)
    spend(organization, 1, now=NOON)
    assert ledger.explain(organization, at=MONDAY).bundle.written_at == NOON
    assert ledger.explain(organization, at=NOON).bundle is None


def test_a_bundle_that_lapsed_is_told_though_no_entry_says_so_yet(organization):
    spend(organization, 10, now=MONDAY - timedelta(hours=1))
    explanation = ledger.explain(organization, at=NOON)
    assert_adds_up(explanation)
    assert explanation.balance.total == 50
    (lapsed,) = explanation.ended
    assert (lapsed.standing.is_lapsed, lapsed.standing.remaining) == (True, 40)
    assert lapsed.standing.credits == 0


def test_what_ended_before_the_week_is_not_told(organization):
    spend(organization, 50, now=MONDAY - timedelta(days=2))
    assert len(ledger.explain(organization, at=MONDAY - timedelta(days=1)).ended) == 1
    sum(ledger.refill(now=MONDAY + WEEK))
    assert ledger.explain(organization, at=NOON + WEEK).ended == ()


def test_a_hold_past_its_time_counts_until_somebody_releases_it_and_after(organization):
    hold(organization, 10, now=NOON)
    later = NOON + timedelta(minutes=20)
    before = ledger.explain(organization, at=later)
    list(ledger.settle_overdue(now=NOON + timedelta(hours=1)))
    for explanation in (before, ledger.explain(organization, at=later)):
        assert_adds_up(explanation)
        (weekly,) = explanation.grants
        assert (weekly.standing.remaining, weekly.standing.overdue_credits) == (40, 10)
    after = ledger.explain(organization, at=NOON + timedelta(hours=1))
    assert after.grants[0].standing.overdue_credits == 0
    assert after.balance.total == 50


def test_money_that_went_back_is_told_as_it_was_then(organization):
    grant = top_up(organization, 100, now=NOON)
    minutes = [NOON + timedelta(minutes=minute) for minute in range(4)]
    for minute, (revoke, freeze) in zip(minutes[1:], [(0, 100), (30, 70), (30, 0)], strict=True):
        ledger.claw_back(
            grant.purchase_id, revoke=revoke, freeze=freeze, now=minute, reason="Dispute"
        )
    told = []
    for minute in minutes:
        explanation = ledger.explain(organization, at=minute)
        assert_adds_up(explanation)
        one = explanation.grants[-1]
        assert one.grant == grant
        told.append((one.standing.credits, one.frozen_credits, one.revoked_credits))
    assert told == [(100, 0, 0), (0, 100, 0), (0, 70, 30), (70, 0, 30)]


def test_long_histories_are_summed_by_kind_before_the_newest_entries(organization, monkeypatch):
    monkeypatch.setattr(explaining, "LISTED_ENTRIES", 3)
    for number in range(8):
        made = spend(organization, 2, now=NOON + timedelta(minutes=number))
        ledger.refund(made, credits=1, now=NOON + timedelta(minutes=number))
    explanation = ledger.explain(organization, at=NOON + WEEK / 7)
    assert_adds_up(explanation)
    (weekly,) = explanation.grants
    assert [entry.seq for entry in weekly.entries] == [17, 16, 15]
    assert sorted((line.kind, line.entries, line.credits) for line in weekly.sums) == [
        ("grant", 1, 50),
        ("refund", 6, 6),
        ("spend", 7, -14),
    ]
    assert (weekly.opening_credits, weekly.opening_at) == (0, None)


def test_sums_that_do_not_reach_back_begin_with_what_was_left_then(organization, monkeypatch):
    monkeypatch.setattr(explaining, "LISTED_ENTRIES", 3)
    monkeypatch.setattr(explaining, "SUMMED_ENTRIES", 4)
    for number in range(10):
        spend(organization, 1, now=NOON + timedelta(minutes=number))
    explanation = ledger.explain(organization, at=NOON + WEEK / 7)
    assert_adds_up(explanation)
    (weekly,) = explanation.grants
    assert [(line.kind, line.entries, line.credits) for line in weekly.sums] == [("spend", 4, -4)]
    assert (weekly.opening_credits, weekly.opening_at) == (47, NOON + timedelta(minutes=3))


def test_more_grants_than_a_page_holds_are_counted_with_their_credits(
    organization, staff, monkeypatch
):
    monkeypatch.setattr(explaining, "MAX_OPEN_GRANTS", 2)
    for credits in (1, 2, 3):
        ledger.adjust(organization, credits, reason="Gift", actor=staff, now=NOON)
    explanation = ledger.explain(organization, at=NOON)
    assert_adds_up(explanation)
    assert held(explanation) == [("weekly", 50), ("staff", 1)]
    assert (explanation.more_grants, explanation.more_credits) == (2, 5)


def test_however_many_grants_there_are_the_queries_are_as_many(organization, staff):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert ledger.explain(organization, at=NOON).grants
        return len(captured)

    top_up(organization, 5, now=NOON)
    few = queries()
    for number in range(10):
        ledger.adjust(organization, 5, reason="Gift", actor=staff, now=NOON)
        top_up(organization, 5, now=NOON)
        spend(organization, 7, now=NOON, reference=str(number))
    assert queries() == few <= 10


@pytest.mark.parametrize(
    ("at", "words"),
    [(NOON + timedelta(microseconds=1), "not in the future"), (MONDAY - 2 * WEEK, "2026-11-16")],
)
def test_a_moment_that_cannot_be_explained_says_why(organization, at, words):
    assert words in explaining.why_not(organization, at=at, now=NOON)
    assert explaining.why_not(organization, at=NOON, now=NOON) == ""


# A spend


def test_a_spend_is_told_with_its_key_its_prices_and_its_grants(acme):
    Action.objects.filter(code=ALT_TEXT).update(credits=3)
    told = ledger.explain_spend(acme.image)
    assert told.api_key.name == "Shop"
    assert (told.spend.unit_credits, told.unit_credits_now) == (1, 3)
    assert [(entry.grant.kind, entry.credits) for entry in told.drawn] == [("weekly", -2)]
    assert told.spend.balance_after == 48
    assert (told.settlement, told.refunds, told.is_hold) == (None, (), False)


def returned(parts) -> list[tuple[str, int, int, int]]:
    return [
        (one.grant.kind, one.credits, one.lapsed_credits, one.clawed_back_credits) for one in parts
    ]


def test_a_hold_is_told_with_what_was_captured_what_came_back_and_its_refunds(acme):
    told = ledger.explain_spend(acme.album)
    assert [(e.grant.kind, e.credits) for e in told.drawn] == [("weekly", -48), ("staff", -12)]
    assert (told.settlement.outcome, told.settlement.captured_credits) == ("captured", 55)
    assert told.settlement.at == TUESDAY + timedelta(hours=1, minutes=5)
    assert returned(told.settlement.returned) == [("staff", 5, 0, 0)]
    (refund,) = told.refunds
    assert (refund.refund.credits, refund.refund.api_key.name) == (3, "Shop")
    assert returned(refund.returned) == [("staff", 3, 0, 0)]


def test_an_open_hold_has_no_end_yet_and_one_that_expired_has(organization):
    open_hold = hold(organization, 10, now=NOON)
    assert ledger.explain_spend(open_hold).settlement is None
    list(ledger.settle_overdue(now=NOON + timedelta(hours=1)))
    settlement = ledger.explain_spend(open_hold).settlement
    assert (settlement.outcome, settlement.captured_credits) == ("expired", 0)
    assert returned(settlement.returned) == [("weekly", 10, 0, 0)]


def test_what_lapsed_again_as_it_came_back_is_told_for_each_refund(organization):
    made = spend(organization, 20, now=NOON)
    for credits in (5, 7):
        ledger.refund(made, credits=credits, now=NOON + WEEK)
    told = ledger.explain_spend(made)
    assert [returned(refund.returned) for refund in told.refunds] == [
        [("weekly", 5, 5, 0)],
        [("weekly", 7, 7, 0)],
    ]


def test_a_hold_of_a_bundle_that_lapsed_meanwhile_comes_back_and_lapses(organization):
    late = MONDAY - timedelta(minutes=5)
    made = hold(organization, 10, now=late)
    ledger.capture(made, credits=4, now=MONDAY + timedelta(minutes=5))
    settlement = ledger.explain_spend(made).settlement
    assert returned(settlement.returned) == [("weekly", 6, 6, 0)]


def test_a_bundle_that_lapses_right_after_a_refund_is_not_told_as_lapsed_with_it(organization):
    made = spend(organization, 20, now=NOON)
    ledger.refund(made, credits=5, now=MONDAY + WEEK - timedelta(seconds=1))
    sum(ledger.refill(now=MONDAY + WEEK))
    assert Entry.objects.filter(kind="expire").exists()
    (refund,) = ledger.explain_spend(made).refunds
    assert returned(refund.returned) == [("weekly", 5, 0, 0)]


def test_what_a_clawback_took_of_a_refund_is_told(organization):
    grant = top_up(organization, 100, now=NOON)
    made = spend(organization, 150, now=NOON)
    ledger.claw_back(grant.purchase_id, revoke=10, freeze=20, now=NOON, reason="Refunded")
    ledger.refund(made, credits=50, now=NOON + timedelta(minutes=1))
    (refund,) = ledger.explain_spend(made).refunds
    assert returned(refund.returned) == [("top_up", 50, 0, 30)]


def test_a_refund_over_two_grants_is_told_by_grant_last_drawn_first(organization):
    top_up(organization, 100, now=NOON)
    made = spend(organization, 60, now=NOON)
    for credits in (4, 20):
        ledger.refund(made, credits=credits, now=NOON)
    assert [returned(refund.returned) for refund in ledger.explain_spend(made).refunds] == [
        [("top_up", 4, 0, 0)],
        [("top_up", 6, 0, 0), ("weekly", 14, 0, 0)],
    ]


def test_however_many_refunds_there_are_the_queries_are_as_many(
    organization, django_assert_num_queries
):
    made = spend(organization, 20, now=NOON)
    for _ in range(10):
        ledger.refund(made, credits=1, idempotency_key=str(uuid.uuid4()), now=NOON)
    with django_assert_num_queries(4):
        ledger.explain_spend(made)


def test_what_lapses_at_the_same_moment_is_no_part_of_what_came_back(organization):
    made = hold(organization, 1, now=MONDAY + WEEK - timedelta(minutes=5))
    list(ledger.settle_overdue(now=MONDAY + 2 * WEEK))
    assert Entry.objects.get(kind="expire", credits=-49)
    settlement = ledger.explain_spend(made).settlement
    assert returned(settlement.returned) == [("weekly", 1, 1, 0)]
