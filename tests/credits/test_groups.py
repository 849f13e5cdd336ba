"""The spends of requests that arrive together: each is let in or handed on as the API would."""

import hashlib
import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from credits import access
from credits.ledger import database
from credits.models import Action, ApiKey, Entry, Organization, Service
from tests.credits.support import Api

ALT, BACKGROUND, UNSOLD = "alt-text.generate", "background.remove", "no-longer.sold"
STATUS = {"created": 201, "replayed": 201, "out_of_credits": 402}


def ask(secret: str, action: str = ALT, **fields: object) -> dict[str, Any]:
    order = {"organization": None, "quantity": 1, "reference": "", "key": None, **fields}
    return {"secret": hashlib.sha256(secret.encode()).hexdigest(), "action": action, **order}


def group(*spends: dict[str, Any]) -> list[dict]:
    answers = database.rows("ledger_spend_group", spends=json.dumps(spends), now=timezone.now())
    asked = sum(len(spend.get("spends", [spend])) for spend in spends)
    assert [answer["item"] for answer in answers] == list(range(asked))
    return answers


@pytest.fixture
def other(db: None) -> Organization:
    return Organization.objects.create(name="Other", weekly_credits=0)


@pytest.fixture
def suspended(db: None) -> Organization:
    return Organization.objects.create(name="Suspended", suspended_at=timezone.now())


@pytest.fixture
def secrets(organization: Organization, other: Organization, suspended: Organization) -> list[str]:
    """Keys of every sort: whose they are, what they may spend, and whether they work."""
    now = timezone.now()
    remover = Service.objects.get(name="Background removal")
    alt, background = Action.objects.get(code=ALT), Action.objects.get(code=BACKGROUND)
    unsold = Action.objects.create(
        service=remover, code=UNSOLD, name="Unsold", credits=1, is_active=False
    )
    settings = [
        {"organization": organization},
        {"organization": organization, "allowed_actions": [background]},
        {"organization": organization, "allowed_actions": [unsold, alt]},
        {"organization": organization, "expires_at": now + timedelta(days=1)},
        {"organization": organization, "expires_at": now - timedelta(seconds=1)},
        {"organization": other},
        {"organization": suspended},
        {"service": remover},
        {"service": remover, "allowed_actions": [unsold]},
        {"service": remover, "allowed_actions": [alt]},
    ]
    made = [access.create_key(name="Key", **fields) for fields in settings]
    revoked, secret = access.create_key(name="Revoked", organization=organization)
    access.revoke_key(revoked, now=now)
    return [*(secret for _, secret in made), secret, "ck_org_unheard_of"]


def test_the_api_and_a_group_let_the_same_requests_in(secrets, organization, other, suspended):
    names = [None, organization.public_id, other.public_id, suspended.public_id, "org_nobody"]
    actions = [ALT, BACKGROUND, UNSOLD, "no.such"]
    seen = set()
    for secret, name, action in itertools.product(secrets, names, actions):
        fields = {"organization": name} if name else {}
        with transaction.atomic():
            answer = Api(secret).spend(action, **fields)
            transaction.set_rollback(True)
        with transaction.atomic():
            [outcome] = group(ask(secret, action, organization=name))
            transaction.set_rollback(True)
        expected = answer.status_code if answer.status_code in (201, 402) else None
        assert STATUS.get(outcome["outcome"]) == expected, (secret, name, action, answer.content)
        if expected == 201:
            assert outcome["organization"] == answer.json()["organization"]
        seen.add(expected)
    assert seen == {201, 402, None}


def test_each_is_made_for_its_own_key_and_answered_in_order(organization, other):
    shop, shop_secret = access.create_key(name="Shop", organization=organization)
    _, other_secret = access.create_key(name="Other", organization=other)
    used_at = timezone.now()
    ApiKey.objects.filter(pk=shop.pk).update(last_used_at=used_at)
    service = Service.objects.get(name="Background removal")
    remover, remover_secret = access.create_key(name="Remover", service=service)
    Organization.objects.filter(pk=organization.pk).update(show_balance=True)
    answers = group(
        ask(shop_secret, quantity=2, reference="a", key="k"),
        ask(other_secret),
        ask("ck_org_unheard_of"),
        ask(remover_secret, BACKGROUND, organization=organization.public_id),
        ask(shop_secret, quantity=2, reference="a", key="k"),
        ask(shop_secret, quantity=3, reference="a", key="k"),
    )
    assert [answer["outcome"] for answer in answers] == [
        "created", "out_of_credits", "other", "created", "replayed", "other"
    ]  # fmt: skip
    first, refused, _, second, repeat, _ = answers
    assert first["spend"] == repeat["spend"] != second["spend"]
    assert (first["api_key"], first["key_used_at"]) == (shop.pk, used_at)
    assert (first["total"], first["balance"], first["shows_balance"]) == (2, 48, True)
    assert (refused["total"], refused["balance"], refused["weekly_credits"]) == (1, 0, 0)
    made = organization.spends.order_by("entries__seq").values_list("pk", "api_key", "reference")
    assert list(made) == [(first["spend"], shop.pk, "a"), (second["spend"], remover.pk, "")]


def test_what_is_handed_on_changes_nothing(secrets, suspended):
    suspended_key = secrets[6]
    answers = group(ask(suspended_key), ask("ck_org_unheard_of"), ask(secrets[0], "no.such"))
    assert [answer["outcome"] for answer in answers] == ["other"] * 3
    assert not Entry.objects.exists()


def test_a_batch_that_a_suspended_organization_is_in_is_handed_on_and_stops_nobody(
    secrets, organization, suspended
):
    orders = [
        ask("", BACKGROUND, organization=each.public_id) for each in (organization, suspended)
    ]
    answers = group({**ask(secrets[7]), "spends": orders}, ask(secrets[0]))
    assert [answer["outcome"] for answer in answers] == ["other", "other", "created"]
    assert organization.spends.count() == 1


def test_a_group_of_nobody_is_answered_by_nothing(db):
    assert group() == []
