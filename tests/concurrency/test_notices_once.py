"""However many spends race, each shortage and each refill is told once."""

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from credits import ledger, notices
from credits.ledger import audit
from credits.models import Email, Grant, Membership, Organization, User
from tests.concurrency.threads import at_once
from tests.purchases import paid_purchase

ACTION = "alt-text.generate"


@pytest.fixture
def organization(committed_db) -> Organization:
    organization = Organization.objects.create(name="Acme", weekly_credits=30)
    for name in ("dana", "kim", "lee"):
        user = User.objects.create_user(f"{name}@example.com")
        Membership.objects.create(organization=organization, user=user)
    return organization


def kinds(organization: Organization) -> list[str]:
    return list(organization.notices.order_by("id").values_list("kind", flat=True))


def told() -> list[tuple[str, str]]:
    """What four workers at once write of the notices until now."""
    results = at_once(lambda _: notices.send_due(now=timezone.now()), range(4))
    assert not [result for result in results if isinstance(result, Exception)]
    return sorted(Email.objects.values_list("template", "to"))


def everybody(template: str) -> list[tuple[str, str]]:
    return [(template, f"{name}@example.com") for name in ("dana", "kim", "lee")]


def top_up(organization: Organization, credits: int) -> None:
    purchase = paid_purchase(organization, credits, now=timezone.now())
    ledger.grant(
        organization,
        credits,
        kind=Grant.Kind.TOP_UP,
        purchase_id=purchase.pk,
        now=purchase.created_at,
    )


def test_50_spends_and_holds_of_30_credits_tell_once(organization):
    take = {True: ledger.spend, False: ledger.hold}
    results = at_once(
        lambda n: take[n % 5 > 0](organization, ACTION, now=timezone.now()), range(50)
    )
    assert sum(isinstance(result, ledger.OutOfCredits) for result in results) == 20
    assert kinds(organization) == ["out_of_credits"]
    assert told() == told() == everybody("out_of_credits")
    assert list(audit.findings()) == []


def test_batches_at_once_tell_once(organization):
    items = [ledger.SpendItem(organization, ACTION)] * 10
    at_once(lambda _: ledger.spend_batch(items, now=timezone.now()), range(8))
    assert kinds(organization) == ["out_of_credits"]


def test_low_is_told_once_by_spends_that_race_past_the_threshold(organization):
    Organization.objects.update(show_balance=True, low_balance_credits=20)
    at_once(lambda _: ledger.spend(organization, ACTION, now=timezone.now()), range(25))
    assert kinds(organization) == ["low"]
    assert organization.notices.get().available_credits == 19
    assert told() == everybody("low_balance")


def test_top_ups_against_refusals_take_turns_and_nothing_is_told_twice(organization):
    ledger.spend(organization, ACTION, quantity=30, now=timezone.now())
    calls = [
        *(lambda: ledger.spend(organization, ACTION, now=timezone.now()) for _ in range(40)),
        *(lambda: top_up(organization, 2) for _ in range(10)),
    ]
    interleaved = [calls[(n * 7) % len(calls)] for n in range(len(calls))]
    results = at_once(lambda call: call(), interleaved)
    unexpected = (
        result
        for result in results
        if isinstance(result, Exception) and not isinstance(result, ledger.OutOfCredits)
    )
    assert not list(unexpected)
    turns = kinds(organization)
    assert turns[0] == "out_of_credits"
    assert all(first != second for first, second in itertools.pairwise(turns))
    told()
    assert not organization.notices.filter(told_at=None).exists()
    assert len(Email.objects.all()) == 3  # The last one is true, and the others were overtaken.
    assert list(audit.findings()) == []


def test_monday_ends_a_shortage_once_for_refills_and_spends_and_refusals(organization):
    monday = ledger.week_start(timezone.now())
    ledger.spend(organization, ACTION, quantity=30, now=monday - timedelta(days=1))
    calls = [
        *(lambda: sum(ledger.refill(now=monday)) for _ in range(4)),
        *(lambda: ledger.spend(organization, ACTION, now=monday) for _ in range(10)),
        *(lambda: ledger.spend(organization, ACTION, quantity=90, now=monday) for _ in range(10)),
    ]
    results = at_once(lambda call: call(), calls)
    assert sum(isinstance(result, ledger.OutOfCredits) for result in results) == 10
    assert kinds(organization) == ["out_of_credits", "refilled", "out_of_credits"]
    assert list(audit.findings()) == []
