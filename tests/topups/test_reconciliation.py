"""What no webhook told is found by asking Stripe."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from world import World

from credits.models import Clawback, Email, Grant
from topups import reconciliation, tasks
from topups.models import Purchase, Reconciliation
from topups.sandbox import models

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def reconcile(site, capsys):
    def reconcile(**options: str) -> str:
        call_command("reconcile_stripe", **options)
        return capsys.readouterr().out

    return reconcile


def test_a_lost_payment_refund_and_dispute_are_found_and_reported_once(reconcile):
    world = World()
    world.pay()
    world.refund(400)
    world.dispute(600)
    world.lose()
    told = reconcile()
    assert world.found() == {"remaining": 0, "revoked": 500, "frozen": 0, "shortfall": 0}
    assert f"repaired: {world.session.pk} is paid" in told
    assert f"repaired: {world.payment.refunds.get().pk} is succeeded" in told
    assert f"repaired: {world.payment.disputes.get().pk} is lost" in told
    assert "3 repaired" in told
    assert "0 repaired" in reconcile()


def test_a_delayed_payment_whose_events_are_lost_is_followed_to_its_end(reconcile):
    paid, refused = World(), World()
    for world in (paid, refused):
        world.pay_by_bank()
    reconcile()
    assert set(Purchase.objects.values_list("status", flat=True)) == {"processing"}
    paid.bank_pays()
    refused.bank_refuses()
    reconcile()
    paid.purchase.refresh_from_db()
    refused.purchase.refresh_from_db()
    assert (paid.purchase.status, refused.purchase.status) == ("paid", "failed")
    assert [grant.purchase_id for grant in Grant.objects.all()] == [paid.purchase.pk]


def test_every_page_is_read(reconcile, monkeypatch):
    monkeypatch.setattr("topups.gateway.checkout.PAGE_SIZE", 2)
    monkeypatch.setattr("topups.gateway.money_back.PAGE_SIZE", 2)
    worlds = [World() for _ in range(5)]
    for world in worlds:
        world.pay()
        world.refund(100)
        world.dispute(200)
    assert "Looked at 15 objects" in reconcile()
    assert [world.found() for world in worlds] == [world.expected() for world in worlds]


def test_a_dispute_is_followed_however_long_it_takes(reconcile):
    world = World()
    world.pay()
    world.now -= timedelta(days=60)
    world.dispute()
    world.now += timedelta(days=60)
    reconcile(since="2026-01-01")
    assert world.found()["frozen"] == 500
    world.win()
    reconcile(since=timezone.now().isoformat())
    assert world.found() == {"remaining": 500, "revoked": 0, "frozen": 0, "shortfall": 0}


def test_a_refund_that_fails_after_weeks_is_found(reconcile):
    world = World()
    world.now -= timedelta(days=28)
    world.pay()
    world.refund()
    reconcile(since="2026-01-01")
    assert world.found()["remaining"] == 0
    world.now += timedelta(days=28)
    world.fail_refund()
    reconcile()
    assert world.found()["remaining"] == 500


def test_each_run_begins_where_the_last_that_ended_began(site, settings):
    first = reconciliation.reconcile(now=timezone.now())
    assert first.since == first.started_at - reconciliation.FIRST_LOOK_BACK
    with_stripe, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, NOWHERE
    broken = reconciliation.reconcile(now=timezone.now())
    assert broken.finished_at is None
    assert broken.since == first.started_at
    settings.STRIPE_API_BASE = with_stripe
    assert reconciliation.reconcile(now=timezone.now()).since == first.started_at


def test_the_schedule_reconciles(site):
    world = World()
    world.pay()
    tasks.reconcile()
    assert world.found()["remaining"] == 500
    run = Reconciliation.objects.get()
    assert run.repaired == [f"{world.session.pk} is paid"]
    assert run.finished_at


def test_what_does_not_fit_is_told_once_and_does_not_stop_the_rest(site, settings):
    settings.ALERT_EMAILS = ["billing@example.com"]
    odd, good = World(), World()
    odd.pay()
    good.pay()
    models.Session.objects.filter(pk=odd.session.pk).update(currency="eur")
    for _ in range(2):
        with pytest.raises(CommandError, match="WrongAmount"):
            call_command("reconcile_stripe", verbosity=0)
    assert good.found()["remaining"] == 500
    assert not Grant.objects.filter(purchase_id=odd.purchase.pk).exists()
    alerts = Email.objects.filter(template="alert")
    assert [(alert.to, odd.session.pk in alert.context["text"]) for alert in alerts] == [
        ("billing@example.com", True)
    ]


def test_what_others_sell_through_the_account_is_left_alone(reconcile):
    world = World()
    world.pay()
    world.refund()
    models.Session.objects.update(metadata={})
    assert "0 repaired" in reconcile()
    assert not Grant.objects.exists()
    assert not Clawback.objects.exists()


@pytest.mark.parametrize("since", ["yesterday", "2999-01-01", "0001-01-01", ""])
def test_a_wrong_moment_is_refused(db, since):
    with pytest.raises(CommandError, match="--since"):
        call_command("reconcile_stripe", since=since)
    assert not Reconciliation.objects.exists()


def test_stripe_out_of_reach_is_said_and_nothing_changes(site, settings):
    world = World()
    world.pay()
    settings.STRIPE_API_BASE = NOWHERE
    with pytest.raises(CommandError, match="Broke off"):
        call_command("reconcile_stripe")
    assert not Grant.objects.exists()


def test_a_dispute_stripe_does_not_know_does_not_stop_the_rest(site, settings):
    settings.ALERT_EMAILS = ["billing@example.com"]
    strange, good = World(), World()
    strange.pay()
    strange.dispute()
    reconciliation.reconcile(now=timezone.now())
    strange.payment.disputes.all().delete()  # As with the key of another account.
    good.pay()
    run = reconciliation.reconcile(now=timezone.now())
    assert run.finished_at
    assert "PaymentServiceRefused" in run.failures[0]
    assert good.found()["remaining"] == 500
    assert Email.objects.filter(template="alert", key__startswith="reconcile-").count() == 1


def test_a_look_at_the_last_hour_does_not_make_the_days_before_forgotten(site):
    now = timezone.now()
    days_ago = now - timedelta(days=5)
    Reconciliation.objects.create(since=days_ago, started_at=days_ago, finished_at=days_ago)
    world = World()
    world.pay()
    world.now -= timedelta(days=3)
    world.dispute()
    run = reconciliation.reconcile(now=now, since=now - timedelta(hours=1))
    assert run.since == days_ago
    assert world.found()["frozen"] == 500


def test_a_long_silence_of_stripe_is_told_once(site, settings):
    settings.ALERT_EMAILS = ["billing@example.com"]
    now = timezone.now()
    Reconciliation.objects.create(since=now, started_at=now, finished_at=now)
    settings.STRIPE_API_BASE = NOWHERE
    for hours in (1, 5, 7, 8):
        reconciliation.reconcile(now=now + timedelta(hours=hours))
        assert Email.objects.filter(template="alert").count() == (hours > 6)


def test_a_decided_dispute_that_is_appealed_weeks_later_is_found(reconcile):
    world = World()
    world.now -= timedelta(days=60)
    world.pay()
    world.dispute()
    world.lose()
    reconcile(since="2026-01-01")
    assert world.found()["revoked"] == 500
    world.now += timedelta(days=60)
    world.appeal()
    reconcile()
    assert world.found()["frozen"] == 500


def test_a_refund_of_long_ago_is_taken_in_without_an_email(reconcile):
    world = World()
    world.pay()
    world.now -= timedelta(days=20)
    world.refund(400)
    reconcile()
    assert world.found()["remaining"] == 300
    assert not Email.objects.filter(template="refund_made").exists()
