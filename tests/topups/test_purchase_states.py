"""What the page that waits for a purchase asks for, and where Buy leads."""

import pytest
from buying import link, make_purchase, text
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from topups import gateway, views
from topups.models import Purchase
from topups.sandbox import sessions
from topups.sandbox.models import Session


@pytest.fixture(autouse=True)
def nothing_was_asked_yet() -> None:
    cache.clear()


def state_of(purchase: Purchase) -> str:
    return f"/purchases/{purchase.pk}/state/"


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The sessions Stripe was asked about."""
    sessions_asked: list[str] = []

    def refuse(session_id: str) -> None:
        sessions_asked.append(session_id)
        raise gateway.PaymentServiceUnavailable

    monkeypatch.setattr(gateway, "retrieve_checkout_session", refuse)
    return sessions_asked


def test_the_state_is_what_the_page_shows(site, make_customer, plan):
    customer = make_customer("acme")
    customer.choose(plan)
    purchase = Purchase.objects.get()
    state = customer.get(state_of(purchase))
    assert text(state).startswith("… Your payment is not confirmed yet")
    assert "<html" not in state.text
    sessions.pay(Session.objects.get().pk, "4242424242424242", now=timezone.now())
    cache.clear()
    assert "500 credits added" in text(customer.get(state_of(purchase)))


def test_stripe_is_asked_once_in_a_while_however_often_the_page_asks(customer, pending, asked):
    for _ in range(5):
        assert "not confirmed yet" in text(customer.get(state_of(pending)))
    assert asked == [pending.stripe_session_id]


def test_without_the_cache_the_page_waits_on_and_stripe_is_not_asked(
    customer, pending, asked, monkeypatch
):
    def fail(*args: object) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(views.cache, "add", fail)
    assert "not confirmed yet" in text(customer.get(state_of(pending)))
    assert asked == []


def test_a_bank_is_waited_for_without_asking(customer, plan, asked):
    waiting = make_purchase(customer, plan, stripe_session_id="cs_1", status="processing")
    assert "waiting for your bank" in text(customer.get(state_of(waiting)))
    assert asked == []


def test_the_state_of_a_foreign_purchase_is_not_there(pending, make_customer):
    assert make_customer("stranger").get(state_of(pending)).status_code == 404
    assert Client().get(state_of(pending)).url.startswith("/accounts/login/")


def test_buy_leads_to_a_checkout_domain_of_our_own_by_a_page_between(customer, plan, monkeypatch):
    url = "https://pay.acme.test/c/pay/cs_1"
    monkeypatch.setattr(views.checkout, "start", lambda *_, **__: url)
    page = customer.choose(plan)
    assert page.status_code == 200
    assert link(page, "Continue to payment") == url
    assert f'http-equiv="refresh" content="0; url={url}"' in page.text


def test_buy_leads_straight_to_where_the_policy_lets_forms_lead(
    customer, plan, monkeypatch, settings
):
    for origin in (settings.BASE_URL, "https://checkout.stripe.com"):
        url = f"{origin}/c/pay/cs_1"
        monkeypatch.setattr(views.checkout, "start", lambda *_, url=url, **__: url)
        assert customer.choose(plan).url == url


def test_an_open_checkout_is_gone_on_with_by_a_link_that_leads_anywhere(
    customer, pending, monkeypatch
):
    monkeypatch.setattr(views.checkout, "resume", lambda *_, **__: "https://pay.acme.test/")
    assert customer.get(f"/purchases/{pending.pk}/resume/").url == "https://pay.acme.test/"
