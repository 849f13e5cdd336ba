"""Groups of spends side by side, and one that comes to a wallet somebody keeps locked."""

import hashlib
import json

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from credits import ledger
from credits.access import create_key
from credits.ledger import audit, database
from credits.models import Entry, Organization
from tests.concurrency.threads import at_once

ACTION = "alt-text.generate"


@pytest.fixture
def asks(committed_db) -> list[dict]:
    """Spends for four organizations of 30 credits, each with a key of its own."""
    names = ["Acme", "Bravo", "Cargo", "Delta"]
    made = [Organization.objects.create(name=name, weekly_credits=30) for name in names]
    secrets = [create_key(name="Test", organization=one)[1] for one in made]
    return [
        {"secret": hashlib.sha256(secret.encode()).hexdigest(), "action": ACTION, "quantity": 1,
         "organization": None, "reference": "", "key": None}
        for secret in secrets
    ]  # fmt: skip


def group(spends: list[dict]) -> list[dict]:
    return database.rows("ledger_spend_group", spends=json.dumps(spends), now=timezone.now())


def test_groups_in_any_order_spend_what_there_is_and_no_more(asks):
    groups = [asks * 3, asks[::-1] * 3] * 6
    results = at_once(group, groups)
    outcomes = [answer["outcome"] for answers in results for answer in answers]
    assert outcomes.count("created") == 4 * 30
    assert outcomes.count("out_of_credits") == 4 * 6
    assert list(audit.findings()) == []


def test_a_wallet_that_stays_locked_fails_the_group_which_then_made_nothing(asks):
    delta = Organization.objects.get(name="Delta")
    with transaction.atomic():
        ledger.database.open_wallet(delta.pk, timezone.now())
        [failure] = at_once(group, [asks])
    assert isinstance(failure, OperationalError)
    assert "lock timeout" in str(failure)
    assert not Entry.objects.exclude(organization=delta).exists()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
