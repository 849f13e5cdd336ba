"""The balances behind the chart of staff: each is what `ledger.balance_at` tells of its moment."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credits import ledger
from credits.balance_history import balances
from credits.charts import BalanceChart, days_until
from credits.models import Grant, Organization, Spend
from tests.credits.support import MONDAY
from tests.purchases import paid_purchase

pytestmark = pytest.mark.django_db

ACTION = "alt-text.generate"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def organization(organization) -> Organization:
    """One that was there before the week of these tests."""
    organization.created_at = MONDAY - 9 * DAY
    organization.save(update_fields=["created_at"])
    return organization


def assert_told(organization: Organization, expected: dict) -> None:
    moments = list(expected)
    assert balances(organization, moments) == list(expected.values())
    told = [ledger.balance_at(organization, at=at).total for at in moments]
    assert told == list(expected.values())


def test_an_idle_organization_has_its_bundle_each_week_since_it_was_made(organization):
    moments = [MONDAY - 10 * DAY, MONDAY - 8 * DAY, MONDAY, MONDAY + 3 * DAY]
    assert_told(organization, dict(zip(moments, (0, 50, 50, 50), strict=True)))


def test_what_was_spent_lapsed_and_given_is_told_at_its_time(organization, staff):
    ledger.spend(organization, ACTION, quantity=20, now=MONDAY + HOUR)
    ledger.adjust(organization, 100, reason="Gift", actor=staff, now=MONDAY + DAY)
    spent = ledger.spend(organization, ACTION, quantity=90, now=MONDAY + 2 * DAY)
    ledger.refund(Spend.objects.get(pk=spent.id), credits=10, now=MONDAY + 3 * DAY)
    ledger.spend(organization, ACTION, quantity=5, now=MONDAY + 8 * DAY)
    assert_told(
        organization,
        {
            MONDAY: 50,
            MONDAY + HOUR: 30,
            MONDAY + DAY: 130,
            MONDAY + 2 * DAY: 40,
            MONDAY + 3 * DAY: 50,
            MONDAY + 7 * DAY: 100,
            MONDAY + 8 * DAY: 95,
        },
    )


def test_a_hold_past_its_time_is_told_as_given_back_before_anybody_writes_it_down(organization):
    ledger.hold(organization, ACTION, quantity=50, expires_in_seconds=3600, now=MONDAY)
    held, overdue = MONDAY + HOUR / 2, MONDAY + 2 * HOUR
    assert_told(organization, {held: 0, overdue: 50})
    list(ledger.settle_overdue(now=MONDAY + 3 * HOUR))
    assert_told(organization, {held: 0, overdue: 50, MONDAY + DAY: 50})


def test_a_refill_between_a_hold_and_its_release_changes_nothing_of_the_week_before(organization):
    ledger.hold(organization, ACTION, quantity=45, expires_in_seconds=3600, now=MONDAY)
    sum(ledger.refill(now=MONDAY + 7 * DAY))
    expected = {MONDAY: 5, MONDAY + 2 * HOUR: 50, MONDAY + 7 * DAY: 50}
    assert_told(organization, expected)
    list(ledger.settle_overdue(now=MONDAY + 8 * DAY))
    assert_told(organization, expected)


def test_what_a_clawback_takes_of_a_hold_on_its_way_home_is_left_out(organization):
    purchase = paid_purchase(organization, 100, now=MONDAY)
    ledger.grant(organization, 100, kind=Grant.Kind.TOP_UP, purchase_id=purchase.pk, now=MONDAY)
    ledger.hold(organization, ACTION, quantity=150, expires_in_seconds=3600, now=MONDAY)
    ledger.claw_back(purchase.pk, revoke=70, freeze=0, now=MONDAY, reason="Refunded")
    overdue = MONDAY + 2 * HOUR
    assert_told(organization, {MONDAY: 0, overdue: 80})
    list(ledger.settle_overdue(now=MONDAY + 3 * HOUR))
    assert_told(organization, {MONDAY: 0, overdue: 80, MONDAY + DAY: 80})


def test_another_organization_changes_nothing(organization, staff):
    other = Organization.objects.create(name="Zenith", weekly_credits=5)
    ledger.adjust(other, 70, reason="Gift", actor=staff, now=MONDAY)
    assert_told(organization, {MONDAY + DAY: 50})


def test_one_query_tells_ninety_days(organization):
    ledger.spend(organization, ACTION, now=MONDAY)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(balances(organization, [MONDAY + n * HOUR for n in range(90)])) == 90
    assert len(queries) == 1


def test_the_line_takes_a_step_for_each_day_below_a_round_top():
    chart = BalanceChart(days_until(MONDAY.date(), 3), [10, 50, 0])
    assert chart.line == "M0,160.0V160.0H1V0.0H2V200.0H3"
    assert (chart.marks[0], chart.marks[-1]) == (50, 0)
    assert [level.credits for level in chart.rows] == [0, 50, 10]


def test_a_balance_of_nothing_is_a_line_at_the_bottom():
    assert BalanceChart([MONDAY.date()], [0]).line == "M0,200.0V200.0H1"
