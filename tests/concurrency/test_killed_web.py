"""The web process is killed while money moves: nothing is lost and nothing counts twice."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from django.core.management import call_command
from django.utils import timezone

from credits import ledger
from credits.ledger import audit
from credits.models import Clawback, Email, Entry, Organization
from tests.concurrency.conftest import serving
from tests.topups.buying import signed
from tests.visitor import Visitor
from topups import tasks
from topups.models import PaymentRefund, Plan, Purchase, StripeEvent
from topups.sandbox import models, sessions

GOOD_CARD = "4242 4242 4242 4242"


@pytest.fixture
def organization(site) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=0)


@pytest.fixture
def buyer(organization) -> Visitor:
    return Visitor(organization)


@pytest.fixture
def plan(site) -> Plan:
    return Plan.objects.get(credits=500)


@contextmanager
def dying(site: str, place: str, moment: str) -> Iterator[str]:
    """A web server beside `site`, which dies at that place; both share all that lasts."""
    arguments = ("-m", "tests.concurrency.dying_web", place, moment)
    with serving(*arguments, BASE_URL=site, WEB_WORKERS="1") as url:
        yield url


def buy(site: str, buyer: Visitor, plan: Plan) -> models.Session:
    """Choose and pay; nothing is told to our side yet."""
    assert buyer.post(f"{site}/top-up/", {"plan": str(plan.pk)}).status_code == 302
    return sessions.pay(models.Session.objects.get().pk, GOOD_CARD, now=timezone.now())


def deliver_event(address: str) -> int:
    """Send the newest event to the webhook of the server at an address, as Stripe does."""
    post = signed(models.Event.objects.latest("created_at").payload)
    return requests.post(
        f"{address}/stripe/webhook/", post["data"], headers=post["headers"], timeout=30
    ).status_code


def assert_sold_once(organization: Organization) -> None:
    assert list(Entry.objects.values_list("kind", "credits")) == [("grant", 500)]
    assert ledger.balance(organization, now=timezone.now()).total == 500
    assert Purchase.objects.get().status == Purchase.Status.PAID
    assert Email.objects.filter(template="receipt").count() == 1
    assert list(audit.findings()) == []


def test_killed_between_recording_an_event_and_handling_it(site, organization, buyer, plan):
    buy(site, buyer, plan)
    with (
        dying(site, "topups.events.process", "before") as web,
        pytest.raises(requests.ConnectionError),
    ):
        deliver_event(web)
    event = StripeEvent.objects.get()
    assert event.status == StripeEvent.Status.RECEIVED
    assert not Entry.objects.exists()
    StripeEvent.objects.update(next_attempt_at=event.received_at)
    tasks.sweep()
    assert deliver_event(site) == 200  # Stripe sends it again, too.
    assert_sold_once(organization)


def test_killed_between_the_commit_and_the_reply(site, organization, buyer, plan):
    buy(site, buyer, plan)
    with (
        dying(site, "topups.events.process", "after") as web,
        pytest.raises(requests.ConnectionError),
    ):
        deliver_event(web)
    assert_sold_once(organization)
    assert deliver_event(site) == 200
    tasks.sweep()
    call_command("reconcile_stripe", verbosity=0)
    assert_sold_once(organization)
    assert StripeEvent.objects.get().attempts == 1


def test_killed_between_stripes_new_checkout_and_our_commit(site, organization, buyer, plan):
    with (
        dying(site, "topups.gateway.create_checkout_session", "after") as web,
        pytest.raises(requests.ConnectionError),
    ):
        buyer.post(f"{web}/top-up/", {"plan": str(plan.pk)})
    assert Purchase.objects.get().stripe_session_id is None
    # The customer clicks again and comes to the same page of Stripe's.
    again = buyer.post(f"{site}/top-up/", {"plan": str(plan.pk)})
    session = models.Session.objects.get()
    assert session.pk in again.headers["Location"]
    sessions.pay(session.pk, GOOD_CARD, now=timezone.now())
    assert deliver_event(site) == 200
    assert_sold_once(organization)
    assert models.Customer.objects.count() == 1


def test_killed_then_paid_with_no_webhook_is_found_by_reconciling(site, organization, buyer, plan):
    with (
        dying(site, "topups.gateway.create_checkout_session", "after") as web,
        pytest.raises(requests.ConnectionError),
    ):
        buyer.post(f"{web}/top-up/", {"plan": str(plan.pk)})
    sessions.pay(models.Session.objects.get().pk, GOOD_CARD, now=timezone.now())
    for _ in range(2):
        call_command("reconcile_stripe", verbosity=0)
    assert_sold_once(organization)


def test_killed_on_the_return_page_after_stripe_said_paid(site, organization, buyer, plan):
    session = buy(site, buyer, plan)
    with (
        dying(site, "topups.gateway.retrieve_checkout_session", "after") as web,
        pytest.raises(requests.ConnectionError),
    ):
        buyer.get(f"{web}/top-up/return/?session_id={session.pk}")
    assert not Entry.objects.exists()
    Purchase.objects.update(next_check_at=timezone.now())
    tasks.sweep()
    assert "500 credits added" in buyer.get(f"{site}/top-up/return/?session_id={session.pk}").text
    assert_sold_once(organization)


@pytest.fixture
def sold(site, buyer, plan) -> Purchase:
    """A purchase that is paid and granted."""
    buy(site, buyer, plan)
    assert deliver_event(site) == 200
    return Purchase.objects.get()


@pytest.fixture
def staff(organization) -> Visitor:
    return Visitor(organization, is_staff=True, is_superuser=True)


def die_refunding(site: str, staff: Visitor, purchase: Purchase, moment: str) -> None:
    with (
        dying(site, "topups.gateway.create_refund", moment) as web,
        pytest.raises(requests.ConnectionError),
    ):
        staff.post(
            f"{web}/admin/topups/purchase/{purchase.pk}/refund/",
            {"amount": "4.00", "reason": "Bought too much", "confirmed": "1"},
        )
    assert PaymentRefund.objects.get().status == PaymentRefund.Status.REQUESTED
    assert ledger.balance(purchase.organization, now=timezone.now()).total == 300


def assert_refunded_once(purchase: Purchase) -> None:
    assert PaymentRefund.objects.get().status == PaymentRefund.Status.SUCCEEDED
    assert models.Refund.objects.get().amount == 4_00
    assert ledger.balance(purchase.organization, now=timezone.now()).total == 300
    assert Clawback.objects.get().revoked_credits == 200
    assert Email.objects.filter(template="refund_made").count() == 1
    assert list(audit.findings()) == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("is_forgotten", [False, True], ids=["at once", "a day later"])
def test_killed_around_stripes_refund_the_sweep_finishes_it(
    site, staff, sold, moment, is_forgotten
):
    die_refunding(site, staff, sold, moment)
    if is_forgotten:  # Stripe keeps idempotency keys for a day.
        models.IdempotencyKey.objects.all().delete()
    for _ in range(2):
        PaymentRefund.objects.filter(status="requested").update(next_attempt_at=timezone.now())
        tasks.sweep()
    assert_refunded_once(sold)


def test_killed_after_stripes_refund_its_event_finishes_it(site, staff, sold):
    die_refunding(site, staff, sold, "after")
    assert [deliver_event(site) for _ in range(2)] == [200, 200]
    tasks.sweep()
    call_command("reconcile_stripe", verbosity=0)
    assert_refunded_once(sold)
