"""When the ledger notes that credits ran out, ran low or came again: once for each time."""

from datetime import timedelta

import pytest
from django.db import connection

from credits import ledger
from credits.ledger import audit
from credits.models import Grant, Organization, Spend, Wallet
from tests.credits.support import MONDAY, assert_problem, assert_untouched
from tests.purchases import paid_purchase

ACTION = "alt-text.generate"
NOON = MONDAY + timedelta(hours=12)
NEXT_WEEK = NOON + timedelta(days=7)


def kinds(organization: Organization) -> list[str]:
    return list(organization.notices.order_by("id").values_list("kind", flat=True))


def spend(organization: Organization, quantity: int = 50, now=NOON) -> ledger.SpendResult:
    return ledger.spend(organization, ACTION, quantity=quantity, now=now)


def refused(organization: Organization, quantity: int = 1, now=NOON) -> None:
    with pytest.raises(ledger.OutOfCredits):
        spend(organization, quantity, now)


def top_up(organization: Organization, credits: int = 10, now=NOON):
    purchase = paid_purchase(organization, credits, now=now)
    ledger.grant(organization, credits, kind=Grant.Kind.TOP_UP, purchase_id=purchase.pk, now=now)
    return purchase


@pytest.fixture(autouse=True)
def _the_ledger_stays_sound(db):
    yield
    assert list(audit.findings()) == []


def test_the_spend_that_takes_the_last_credit_is_noted_and_the_refusals_after_it_are_not(
    api, organization, set_clock
):
    set_clock(NOON)
    assert api.spend(quantity=49).status_code == 201
    assert kinds(organization) == []
    assert api.spend().status_code == 201
    for _ in range(3):
        assert_problem(api.spend(), 402, "out_of_credits")
        assert_problem(api.post("holds", {"action": ACTION}), 402, "out_of_credits")
    notice = organization.notices.get()
    assert (notice.kind, notice.available_credits, notice.occurred_at, notice.ended_at) == (
        "out_of_credits", 0, NOON, None
    )  # fmt: skip


def test_a_refusal_is_noted_and_writes_nothing_else(organization):
    refused(organization, 51)
    assert_untouched(organization)
    notice = organization.notices.get()
    assert (notice.kind, notice.available_credits) == ("out_of_credits", 50)


def test_a_hold_of_all_is_not_running_out_until_something_is_refused(organization):
    ledger.hold(organization, ACTION, quantity=50, now=NOON)
    assert kinds(organization) == []
    with pytest.raises(ledger.OutOfCredits):
        ledger.hold(organization, ACTION, now=NOON)
    assert kinds(organization) == ["out_of_credits"]


def test_a_capture_of_all_is_running_out_and_of_less_is_not(organization):
    for captured, told in ((49, []), (1, ["out_of_credits"])):
        left = ledger.balance(organization, now=NOON).total
        hold = ledger.hold(organization, ACTION, quantity=left, now=NOON)
        ledger.capture(Spend.objects.get(pk=hold.id), credits=captured, now=NOON)
        assert kinds(organization) == told


def test_what_comes_home_does_not_end_it(organization):
    hold = ledger.hold(organization, ACTION, quantity=20, now=NOON)
    spent = spend(organization, 30)
    ledger.refund(Spend.objects.get(pk=spent.id), credits=10, now=NOON)
    ledger.release(Spend.objects.get(pk=hold.id), now=NOON)
    spend(organization, 30)
    refused(organization)
    assert kinds(organization) == ["out_of_credits"]


@pytest.mark.parametrize("how", ["top-up", "staff", "a spend on Monday", "the Monday refill"])
def test_new_credits_end_it_once_and_it_can_begin_again(organization, staff, how):
    spend(organization)
    match how:
        case "top-up":
            top_up(organization, 50)
        case "staff":
            ledger.adjust(organization, 50, reason="Sorry", actor=staff, now=NOON)
        case "a spend on Monday":
            spend(organization, 1, now=NEXT_WEEK)
        case "the Monday refill":
            assert sum(ledger.refill(now=NEXT_WEEK)) == 1
            assert sum(ledger.refill(now=NEXT_WEEK)) == 0
    assert kinds(organization) == ["out_of_credits", "refilled"]
    assert organization.notices.get(kind="refilled").available_credits == 50
    assert organization.notices.get(kind="out_of_credits").ended_at
    top_up(organization, 1, now=NEXT_WEEK)
    spend(organization, ledger.balance(organization, now=NEXT_WEEK).total, now=NEXT_WEEK)
    assert kinds(organization) == ["out_of_credits", "refilled", "out_of_credits"]


def test_a_whole_bundle_spent_at_once_on_monday_is_both(organization):
    spend(organization)
    spend(organization, now=NEXT_WEEK)
    assert kinds(organization) == ["out_of_credits", "refilled", "out_of_credits"]


def test_a_bundle_that_nobody_touched_had_come_all_the_same(organization):
    refused(organization, 51, now=MONDAY)
    spend(organization, 1, now=MONDAY)
    assert kinds(organization) == ["out_of_credits"]


def test_a_refusal_in_a_new_week_is_a_new_shortage(organization):
    spend(organization)
    for _ in range(2):
        refused(organization, 51, now=NEXT_WEEK)
    assert kinds(organization) == ["out_of_credits", "refilled", "out_of_credits"]
    assert sum(ledger.refill(now=NEXT_WEEK)) == 1
    spend(organization, 1, now=NEXT_WEEK)
    assert kinds(organization) == ["out_of_credits", "refilled", "out_of_credits"]


def test_monday_ends_nothing_where_it_brings_nothing(db):
    organization = Organization.objects.create(name="Bolt", weekly_credits=0)
    refused(organization)
    for week in range(3):
        refused(organization, now=NEXT_WEEK + timedelta(days=7 * week))
        sum(ledger.refill(now=NEXT_WEEK + timedelta(days=7 * week)))
    assert kinds(organization) == ["out_of_credits"]


def test_a_won_dispute_ends_it_and_a_lost_one_does_not(organization):
    ledger.change_bundle(organization, 0, now=NOON)
    spend(organization)
    won, lost = top_up(organization), top_up(organization)
    for purchase in (won, lost):
        ledger.claw_back(purchase.pk, revoke=0, freeze=10, now=NOON, reason="Disputed")
    refused(organization)
    told = ["out_of_credits", "refilled", "out_of_credits"]
    assert kinds(organization) == told
    ledger.claw_back(lost.pk, revoke=10, freeze=0, now=NOON, reason="Lost")
    assert kinds(organization) == told
    ledger.claw_back(won.pk, revoke=0, freeze=0, now=NOON, reason="Won")
    assert kinds(organization) == [*told, "refilled"]


def test_many_spends_in_a_batch_run_out_once(organization):
    items = [ledger.SpendItem(organization, ACTION, 20)] * 5
    results = ledger.spend_batch(items, now=NOON)
    assert sum(isinstance(result, ledger.OutOfCredits) for result in results) == 3
    assert kinds(organization) == ["out_of_credits"]


def test_a_suspended_organization_has_run_out_of_nothing(organization):
    organization.suspended_at = NOON
    organization.save()
    with pytest.raises(ledger.OrganizationSuspended):
        spend(organization, 51)
    assert kinds(organization) == []


# Low


@pytest.fixture
def watched(organization) -> Organization:
    """An organization of 50 credits that wants to know below 20."""
    organization.show_balance = True
    organization.save()
    ledger.change_threshold(organization, 20, now=NOON)
    return organization


def test_below_the_threshold_is_noted_once_until_it_is_reached_again(watched):
    spend(watched, 30)
    assert kinds(watched) == []
    spend(watched, 1)
    spend(watched, 1)
    assert kinds(watched) == ["low"]
    assert watched.notices.get().available_credits == 19
    top_up(watched, 1)  # 19 are not enough to end it.
    spend(watched, 1)
    assert kinds(watched) == ["low"]
    top_up(watched, 2)
    assert watched.notices.get().ended_at == NOON
    spend(watched, 1)
    assert kinds(watched) == ["low", "low"]


def test_a_capture_can_leave_little_and_a_hold_alone_does_not(watched):
    hold = ledger.hold(watched, ACTION, quantity=40, now=NOON)
    assert kinds(watched) == []
    ledger.capture(Spend.objects.get(pk=hold.id), credits=31, now=NOON)
    assert kinds(watched) == ["low"]


def test_what_has_run_out_is_not_low_as_well(watched):
    spend(watched)
    assert kinds(watched) == ["out_of_credits"]
    top_up(watched, 5)
    spend(watched, 1)
    assert kinds(watched) == ["out_of_credits", "refilled", "low"]


def test_a_balance_that_is_hidden_is_never_low(watched):
    Organization.objects.update(show_balance=False)
    spend(watched, 45)
    hold = ledger.hold(watched, ACTION, quantity=2, now=NOON)
    ledger.capture(Spend.objects.get(pk=hold.id), now=NOON)
    assert kinds(watched) == []


def test_a_monday_can_end_it(watched):
    spend(watched, 45)
    spend(watched, 1, now=NEXT_WEEK)
    assert watched.notices.get().ended_at == NEXT_WEEK
    spend(watched, 45, now=NEXT_WEEK)
    assert kinds(watched) == ["low", "low"]


@pytest.mark.parametrize("threshold", [None, 10])
def test_a_threshold_that_is_kept_ends_it(watched, threshold):
    spend(watched, 40)
    ledger.change_threshold(watched, threshold, now=NOON)
    assert watched.notices.get().ended_at == NOON
    spend(watched, 1)
    assert kinds(watched) == (["low"] if threshold is None else ["low", "low"])


def test_a_higher_threshold_counts_from_the_next_spend(watched):
    ledger.change_threshold(watched, 100, now=NOON)
    assert kinds(watched) == []
    spend(watched, 1)
    assert kinds(watched) == ["low"]


# The ledger's own checks


@pytest.mark.parametrize(
    ("tamper", "check"),
    [
        ("UPDATE credits_wallet SET out_of_credits_at = NULL", "notices:"),
        ("UPDATE credits_wallet SET low_at = now()", "notices:"),
        ("UPDATE credits_grant SET starts_at = starts_at + interval '1 day'", "shortages:"),
        ("UPDATE credits_notice SET kind = 'refilled', ended_at = NULL", "refills:"),
    ],
)
def test_the_audit_finds_what_does_not_agree(organization, tamper, check):
    spend(organization)
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT sound")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(tamper)
        found = list(audit.findings())
        cursor.execute("ROLLBACK TO SAVEPOINT sound")
    assert any(finding.startswith(check) for finding in found)
    assert Wallet.objects.get(organization=organization).out_of_credits_at == NOON
