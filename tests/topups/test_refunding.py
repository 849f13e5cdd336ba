"""Refunds that Stripe refuses or breaks at, and those that wait behind them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from world import World, deliver

from credits.models import Email, User
from topups import refunds
from topups.models import PaymentRefund
from topups.sandbox.errors import Refused

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def paid(site) -> World:
    world = World()
    world.pay()
    deliver(world.events())
    return world


@pytest.fixture
def ask(db):
    staff = User.objects.create_user("staff@example.com", is_staff=True)

    def ask(world: World, amount_minor: int = 400) -> PaymentRefund:
        now = timezone.now()
        options = {"reason": "Sorry", "actor": staff, "request_id": uuid4(), "now": now}
        return refunds.request(world.purchase, amount_minor, **options)

    return ask


def test_a_refusal_frees_the_credits_however_long_its_reason(paid, ask, monkeypatch):
    def refuse(*_, **__):
        raise Refused("This cannot be refunded. " * 40)

    monkeypatch.setattr("topups.sandbox.refunds.create", refuse)
    asked = ask(paid)
    assert paid.found()["frozen"] == 200
    refused = refunds.send(asked, now=timezone.now())
    assert refused.status == PaymentRefund.Status.REFUSED
    assert "cannot be refunded" in refused.error
    assert paid.found() == {"remaining": 500, "revoked": 0, "frozen": 0, "shortfall": 0}


def test_while_stripe_is_down_a_refund_waits_and_staff_are_told_once(paid, ask, settings):
    settings.ALERT_EMAILS = ["billing@example.com"]
    with_stripe, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, NOWHERE
    asked = ask(paid)
    for tries in range(1, 8):
        PaymentRefund.objects.update(next_attempt_at=asked.created_at)
        refunds.send_due(now=timezone.now())
        assert Email.objects.filter(template="alert").count() == (tries >= 5)
    asked.refresh_from_db()
    assert (asked.status, asked.attempts) == ("requested", 7)
    assert asked.next_attempt_at > timezone.now() + timedelta(minutes=60)
    assert paid.found()["frozen"] == 200
    settings.STRIPE_API_BASE = with_stripe
    assert refunds.send(asked, now=timezone.now()).status == PaymentRefund.Status.SUCCEEDED
    assert paid.found() == paid.expected()


def test_what_was_refunded_in_the_dashboard_meanwhile_is_not_refunded_again(paid, ask):
    asked = ask(paid, 10_00)
    paid.refund(10_00)
    assert refunds.send(asked, now=timezone.now()).status == PaymentRefund.Status.REFUSED
    deliver(paid.events())
    assert paid.found() == paid.expected()
    assert paid.found()["revoked"] == 500
