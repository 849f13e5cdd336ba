"""Many at once on one wallet, over as many real connections."""

import json
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from credits import ledger
from credits.access import create_key
from credits.ledger import audit
from credits.models import Action, Entry, Grant, Organization, Spend, Wallet
from tests.concurrency.locks import wait_for_who_waits_for_a_lock
from tests.concurrency.threads import at_once
from tests.purchases import paid_purchase
from topups.models import Purchase

ACTION = "alt-text.generate"


@pytest.fixture
def organization(committed_db) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=30)


def assert_sound(organization: Organization) -> None:
    assert list(audit.findings()) == []
    sequence = list(organization.entries.order_by("seq").values_list("seq", flat=True))
    assert sequence == list(range(1, len(sequence) + 1))


def test_50_threads_spend_30_credits_and_exactly_30_succeed(organization):
    results = at_once(lambda _: ledger.spend(organization, ACTION, now=timezone.now()), range(50))
    assert sum(isinstance(result, ledger.SpendResult) for result in results) == 30
    assert sum(isinstance(result, ledger.OutOfCredits) for result in results) == 20
    assert Grant.objects.get().remaining == 0
    assert sorted(r.balance for r in results if isinstance(r, ledger.SpendResult)) == list(
        range(30)
    )
    assert_sound(organization)


def _post(url: str, secret: str, body: dict, **headers: str) -> tuple[int, dict, dict]:
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response), dict(response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


def test_50_requests_over_http_spend_30_credits(organization, web_server):
    _, secret = create_key(name="Test", organization=organization)
    url = f"{web_server}/api/v1/spends"
    results = at_once(lambda _: _post(url, secret, {"action": ACTION}), range(50))
    assert sorted(status for status, *_ in results) == [201] * 30 + [402] * 20
    assert {body["code"] for status, body, _ in results if status == 402} == {"out_of_credits"}
    assert ledger.balance(organization, now=timezone.now()).total == 0
    assert_sound(organization)


def test_one_key_from_20_requests_is_one_spend_and_20_same_answers(organization, web_server):
    _, secret = create_key(name="Test", organization=organization)
    url = f"{web_server}/api/v1/spends"
    results = at_once(
        lambda _: _post(url, secret, {"action": ACTION, "quantity": 3}, **{"Idempotency-Key": "k"}),
        range(20),
    )
    assert [status for status, *_ in results] == [201] * 20
    first = results[0][1]
    assert all(body == first for _, body, _ in results)
    replays = [headers.get("Idempotent-Replayed") for *_, headers in results]
    assert sorted(replays, key=str) == [None] + ["true"] * 19
    assert Spend.objects.count() == 1
    assert ledger.balance(organization, now=timezone.now()).total == 27


def test_one_adjustment_sent_10_times_at_once_is_made_once(organization, django_user_model):
    staff = django_user_model.objects.create_user("staff@example.com")
    adjustment_id = uuid.uuid4()
    at_once(
        lambda _: ledger.adjust(
            organization,
            5,
            reason="once",
            actor=staff,
            now=timezone.now(),
            adjustment_id=adjustment_id,
        ),
        range(10),
    )
    assert ledger.balance(organization, now=timezone.now()).total == 35


def top_up(organization: Organization, purchase: Purchase) -> Grant:
    return ledger.grant(
        organization,
        purchase.credits,
        kind=Grant.Kind.TOP_UP,
        purchase_id=purchase.pk,
        now=purchase.created_at,
    )


def test_spends_holds_refunds_and_top_ups_at_once_add_up(organization):
    now = timezone.now()
    top_up(organization, paid_purchase(organization, 200, now=now))
    spent = [ledger.spend(organization, ACTION, quantity=5, now=now) for _ in range(8)]
    held = [ledger.hold(organization, ACTION, quantity=5, now=now) for _ in range(8)]
    spends = {spend.pk: spend for spend in Spend.objects.all()}
    bought = paid_purchase(organization, 10, now=now)
    other = paid_purchase(organization, 10, now=now)
    calls = [
        *(lambda: ledger.spend(organization, ACTION, quantity=2, now=now) for _ in range(10)),
        *(lambda s=s: ledger.refund(spends[s.id], credits=3, now=now) for s in spent),
        *(lambda s=s: ledger.refund(spends[s.id], credits=3, now=now) for s in spent),
        *(lambda h=h: ledger.capture(spends[h.id], credits=4, now=now) for h in held[:4]),
        *(lambda h=h: ledger.release(spends[h.id], now=now) for h in held),
        *(lambda p=purchase: top_up(organization, p) for purchase in (bought, bought, other)),
    ]
    results = at_once(lambda call: call(), calls)
    refused = [result for result in results if isinstance(result, Exception)]
    # Of two refunds of 3 from a spend of 5 one is too many; so is one of capture and release.
    assert sorted(type(error).__name__ for error in refused) == (
        ["HoldClosed"] * 4 + ["TooManyCredits"] * 8
    )
    captured = sum(isinstance(r, Spend) and r.status == "spent" for r in results)
    expected = 230 + 20 - 8 * 5 - 10 * 2 + 8 * 3 - captured * 4
    assert ledger.balance(organization, now=now).total == expected
    assert_sound(organization)


def test_monday_comes_once_for_spends_and_two_refills_at_once(committed_db):
    monday = ledger.week_start(timezone.now())
    organizations = [Organization.objects.create(name=f"O{n}", weekly_credits=9) for n in range(20)]
    for organization in organizations:
        ledger.spend(organization, ACTION, quantity=2, now=monday - timedelta(seconds=1))
    calls = [
        *(lambda: sum(ledger.refill(now=monday, chunk=3)) for _ in range(4)),
        *(lambda o=o: ledger.spend(o, ACTION, now=monday) for o in organizations),
    ]
    results = at_once(lambda call: call(), calls)
    assert not [result for result in results if isinstance(result, Exception)]
    for organization in organizations:
        kinds = list(organization.entries.order_by("seq").values_list("kind", "credits"))
        assert kinds == [
            ("grant", 9), ("spend", -2), ("expire", -7), ("grant", 9), ("spend", -1)
        ]  # fmt: skip
    assert list(audit.findings()) == []


def test_refills_side_by_side_count_each_organization_once(committed_db):
    monday = ledger.week_start(timezone.now())
    organizations = [Organization.objects.create(name=f"O{n}", weekly_credits=9) for n in range(30)]
    for organization in organizations:
        ledger.spend(organization, ACTION, now=monday - timedelta(seconds=1))
    refilled = at_once(lambda chunk: sum(ledger.refill(now=monday, chunk=chunk)), [1, 3, 4, 30])
    assert sum(refilled) == len(organizations)
    for organization in organizations:
        kinds = list(organization.entries.order_by("seq").values_list("kind", flat=True))
        assert kinds == ["grant", "spend", "expire", "grant"]
    assert list(audit.findings()) == []


def test_batches_in_opposite_orders_do_not_wait_for_each_other_forever(committed_db):
    organizations = [Organization.objects.create(name=f"O{n}") for n in range(10)]
    items = [ledger.SpendItem(organization, ACTION) for organization in organizations] * 5
    results = at_once(
        lambda batch: ledger.spend_batch(batch, now=timezone.now()), [items, items[::-1]] * 5
    )
    assert not [result for result in results if isinstance(result, Exception)]
    assert Entry.objects.filter(kind="spend").count() == 500
    assert list(audit.findings()) == []


def test_a_batch_goes_by_what_things_cost_once_it_has_the_wallet(organization):
    """Whether credits suffice and what is taken must come of the same prices."""
    ledger.spend(organization, ACTION, now=timezone.now())

    def spend_two() -> list[ledger.SpendResult | ledger.LedgerError]:
        try:
            items = [ledger.SpendItem(organization, ACTION)] * 2
            return ledger.spend_batch(items, now=timezone.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Wallet.objects.select_for_update().get(organization=organization)
            waiting = pool.submit(spend_two)
            wait_for_who_waits_for_a_lock()
            Action.objects.filter(code=ACTION).update(credits=20)
        made, refused = waiting.result()
    assert (made.credits, made.balance) == (20, 9)
    assert isinstance(refused, ledger.OutOfCredits)
    assert_sound(organization)
