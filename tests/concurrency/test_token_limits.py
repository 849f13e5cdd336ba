"""Many pages at once with one browser token: together they stay within its limit."""

import json
import urllib.error
import urllib.request
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from credits import ledger, tokens
from credits.access import create_key
from credits.ledger import audit
from credits.models import ApiKey, Organization, TokenUse
from tests.concurrency.threads import at_once

ACTION = "alt-text.generate"
SHOP = "https://shop.example"


@pytest.fixture
def organization(committed_db) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=200)


@pytest.fixture
def key(organization) -> ApiKey:
    return create_key(name="Shop", organization=organization, allowed_origins=[SHOP])[0]


def new_limit(credits: int) -> ledger.SpendLimit:
    return ledger.SpendLimit(uuid.uuid4(), credits, timezone.now() + timedelta(minutes=15))


def spent(organization: Organization) -> int:
    assert list(audit.findings()) == []
    return sum(organization.spends.values_list("credits", flat=True))


def test_50_threads_spend_20_credits_with_one_token(organization):
    limit = new_limit(20)
    results = at_once(
        lambda _: ledger.spend(organization, ACTION, limit=limit, now=timezone.now()), range(50)
    )
    assert Counter(type(result) for result in results) == {
        ledger.SpendResult: 20,
        ledger.TokenLimitReached: 30,
    }
    assert TokenUse.objects.get().credits == spent(organization) == 20
    assert ledger.balance(organization, now=timezone.now()).total == 180


def test_spends_and_holds_of_other_sizes_never_pass_the_limit(organization):
    limit = new_limit(20)

    def take(number: int) -> ledger.SpendResult:
        verb = ledger.hold if number % 2 else ledger.spend
        return verb(organization, ACTION, quantity=7, limit=limit, now=timezone.now())

    results = at_once(take, range(20))
    assert sum(isinstance(result, ledger.SpendResult) for result in results) == 2
    assert TokenUse.objects.get().credits == spent(organization) == 14
    ledger.spend(organization, ACTION, quantity=6, limit=limit, now=timezone.now())
    assert TokenUse.objects.get().credits == spent(organization) == 20


def test_a_replayed_request_counts_once_and_the_others_still_fit(organization):
    limit = new_limit(10)

    def take(number: int) -> ledger.SpendResult:
        # Ten requests, each sent three times.
        name = f"order-{number % 10}"
        return ledger.spend(
            organization, ACTION, idempotency_key=name, limit=limit, now=timezone.now()
        )

    results = at_once(take, range(30))
    assert Counter(result.replayed for result in results) == {False: 10, True: 20}
    assert TokenUse.objects.get().credits == spent(organization) == 10


def test_each_token_has_a_limit_of_its_own_and_keys_have_none(organization):
    limits = [new_limit(5), new_limit(8), None]
    results = at_once(
        lambda number: ledger.spend(
            organization, ACTION, limit=limits[number % 3], now=timezone.now()
        ),
        range(45),
    )
    assert sum(isinstance(result, ledger.SpendResult) for result in results) == 5 + 8 + 15
    assert sorted(TokenUse.objects.values_list("credits", flat=True)) == [5, 8]
    assert spent(organization) == 28


def _spend(url: str, token: str) -> tuple[int, str, str | None]:
    request = urllib.request.Request(
        url,
        json.dumps({"action": ACTION}).encode(),
        {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Origin": SHOP,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            allowed = response.headers["Access-Control-Allow-Origin"]
            return response.status, json.load(response)["status"], allowed
    except urllib.error.HTTPError as error:
        with error:
            allowed = error.headers["Access-Control-Allow-Origin"]
            return error.code, json.load(error)["code"], allowed


def test_50_requests_over_http_with_one_token_spend_20_credits(organization, key, web_server):
    _, token = tokens.issue(
        key,
        organization,
        actions=[ACTION],
        origins=[SHOP],
        spend_limit=20,
        now=timezone.now(),
    )
    results = at_once(lambda _: _spend(f"{web_server}/api/v1/spends", token), range(50))
    assert Counter(results) == {
        (201, "spent", SHOP): 20,
        (403, "spend_limit_reached", SHOP): 30,
    }
    assert TokenUse.objects.get().credits == spent(organization) == 20
