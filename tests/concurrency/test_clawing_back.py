"""Money that goes back while its credits are being used, over as many real connections."""

import random
import uuid

import pytest
from django.utils import timezone

from credits import ledger
from credits.ledger import audit
from credits.models import Clawback, Grant, Organization, Spend
from tests.concurrency.threads import at_once
from tests.purchases import paid_purchase

ACTION = "alt-text.generate"


@pytest.fixture
def organization(committed_db) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=0)


@pytest.fixture
def purchase_id(organization) -> uuid.UUID:
    now = timezone.now()
    purchase_id = paid_purchase(organization, 100, now=now).pk
    kind = Grant.Kind.TOP_UP
    ledger.grant(organization, 100, kind=kind, purchase_id=purchase_id, now=now)
    return purchase_id


def claw_back(purchase_id: uuid.UUID, revoke: int, freeze: int) -> Clawback | None:
    return ledger.claw_back(
        purchase_id, revoke=revoke, freeze=freeze, now=timezone.now(), reason="Money back"
    )


def test_each_credit_is_either_spent_or_taken_back(organization, purchase_id):
    calls = [
        *(lambda: ledger.spend(organization, ACTION, quantity=4, now=timezone.now()),) * 20,
        *(lambda: claw_back(purchase_id, 100, 0),) * 5,
    ]
    results = at_once(lambda call: call(), calls)
    spent = sum(result.credits for result in results if isinstance(result, ledger.SpendResult))
    refused = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, ledger.OutOfCredits) for error in refused)
    clawback = Clawback.objects.get()
    assert (clawback.revoked_credits, clawback.shortfall) == (100 - spent, spent)
    assert organization.entries.filter(kind="revoke").count() == 1
    assert ledger.balance(organization, now=timezone.now()).total == 0
    assert list(audit.findings()) == []


def test_targets_spends_and_refunds_at_once_lose_nothing(organization, purchase_id):
    now = timezone.now()
    spent = [ledger.spend(organization, ACTION, quantity=4, now=now).id for _ in range(5)]
    held = [ledger.hold(organization, ACTION, quantity=4, now=now).id for _ in range(5)]
    spends = Spend.objects.in_bulk([*spent, *held])
    calls = [
        *(lambda: ledger.spend(organization, ACTION, quantity=2, now=now) for _ in range(15)),
        *(lambda s=s: ledger.refund(spends[s], now=now) for s in spent),
        *(lambda h=h: ledger.release(spends[h], now=now) for h in held),
        *(
            lambda targets=targets: claw_back(purchase_id, *targets)
            for targets in ((90, 0), (30, 50), (0, 100), (20, 20), (0, 0))
        ),
    ]
    random.shuffle(calls)
    refused = [r for r in at_once(lambda call: call(), calls) if isinstance(r, Exception)]
    assert all(isinstance(error, ledger.OutOfCredits) for error in refused)
    assert list(audit.findings()) == []
    # Whatever came first, the last word decides, and what was not used is there again.
    used = 2 * (15 - len(refused))
    clawback = claw_back(purchase_id, 40, 25)
    assert clawback.revoked_credits == min(40, 100 - used)
    assert clawback.frozen_credits == min(25, 100 - used - clawback.revoked_credits)
    left = 100 - used - clawback.revoked_credits - clawback.frozen_credits
    assert ledger.balance(organization, now=timezone.now()).total == left


def test_a_shortfall_is_collected_once_by_many(organization, purchase_id, django_user_model):
    staff = django_user_model.objects.create_user("staff@example.com")
    now = timezone.now()
    ledger.spend(organization, ACTION, quantity=100, now=now)
    claw_back(purchase_id, 50, 0)
    ledger.adjust(organization, 200, reason="Gift", actor=staff, now=now)
    fields = {"now": now, "reason": "Agreed", "actor": staff}
    ids = [uuid.uuid4(), uuid.uuid4()]
    results = at_once(
        lambda id_: ledger.collect_shortfall(purchase_id, 30, **fields, adjustment_id=id_), ids * 5
    )
    assert results.count(True) == 1
    assert Clawback.objects.get().collected_credits == 30
    assert ledger.balance(organization, now=timezone.now()).total == 170
    assert list(audit.findings()) == []
