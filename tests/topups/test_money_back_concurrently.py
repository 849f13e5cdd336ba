"""Refunds, disputes, spends and staff at the same moment, over real connections."""

import urllib.request
from random import Random
from uuid import uuid4

import pytest
from buying import signed
from django.core.management import call_command
from django.utils import timezone
from world import World, deliver, shuffled

from credits import ledger
from credits.ledger import audit
from credits.models import Email, Entry, User
from tests.concurrency.threads import at_once
from topups import refunds, tasks
from topups.models import PaymentRefund, StripeEvent
from topups.sandbox import models

ROUNDS = 10


def send(site: str, event: dict) -> int:
    post = signed(event)
    headers = {**post["headers"], "Content-Type": post["content_type"]}
    request = urllib.request.Request(f"{site}/stripe/webhook/", post["data"].encode(), headers)
    with urllib.request.urlopen(request) as response:
        return response.status


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_all_that_happened_is_told_at_once(site, seed):
    world = World()
    world.pay()
    world.refund(150)
    world.dispute(800)
    world.respond()
    world.lose()
    world.appeal()
    events = shuffled(world.events(), Random(seed))
    assert set(at_once(lambda event: send(site, event), events)) == {200}
    assert world.found() == world.expected()
    assert StripeEvent.objects.filter(status="processed").count() == len(world.events())
    assert Email.objects.filter(template__in=("receipt", "refund_made")).count() == 2
    assert list(audit.findings()) == []


def test_spends_race_a_refund_and_nothing_is_used_twice(site):
    world = World()
    world.pay()
    deliver(world.events())
    world.refund()
    told = world.events()

    def spend() -> str:
        try:
            ledger.spend(world.organization, "alt-text.generate", quantity=10, now=timezone.now())
        except ledger.OutOfCredits:
            return "out of credits"
        return "spent"

    calls = [spend] * 40
    calls[20:20] = [lambda: str(deliver(told))]
    outcomes = at_once(lambda call: call(), calls)
    used = 10 * outcomes.count("spent")
    assert outcomes.count("spent") + outcomes.count("out of credits") == 40
    assert world.found() == world.expected(used)
    assert list(audit.findings()) == []


def test_refunds_asked_for_at_once_never_give_back_more_than_was_paid(site):
    world = World()
    world.pay()
    deliver(world.events())
    staff = User.objects.create_user("staff@example.com", is_staff=True)

    def refund() -> str:
        now = timezone.now()
        try:
            asked = refunds.request(
                world.purchase, 300, reason="Sorry", actor=staff, request_id=uuid4(), now=now
            )
        except refunds.NotRefundable:
            return "refused"
        return refunds.send(asked, now=now).status

    outcomes = at_once(lambda _: refund(), range(8))
    assert sorted(outcomes) == ["refused"] * 5 + ["succeeded"] * 3
    assert sum(models.Refund.objects.values_list("amount", flat=True)) == 900
    assert world.found() == world.expected()


def test_one_refund_sent_by_staff_the_sweep_and_its_event_is_one(site):
    world = World()
    world.pay()
    deliver(world.events())
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    now = timezone.now()
    asked = refunds.request(
        world.purchase, 400, reason="Sorry", actor=staff, request_id=uuid4(), now=now
    )
    PaymentRefund.objects.update(next_attempt_at=now)
    at_once(lambda call: call(), [lambda: refunds.send(asked, now=now), tasks.sweep] * 4)
    deliver(world.events())
    call_command("reconcile_stripe", verbosity=0)
    assert PaymentRefund.objects.get().status == PaymentRefund.Status.SUCCEEDED
    assert models.Refund.objects.get().amount == 400
    assert world.found() == world.expected()
    assert Email.objects.filter(template="refund_made").count() == 1
    moved = Entry.objects.filter(kind__in=("revoke", "restore", "freeze", "thaw"))
    assert sum(moved.values_list("credits", flat=True)) == -200
