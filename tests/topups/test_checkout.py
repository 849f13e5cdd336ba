"""Checkouts when things at Stripe are not as we left them."""

import pytest
from buying import bought_credits, text
from django.utils import timezone

from topups import gateway, tasks
from topups.models import BillingAccount, Purchase
from topups.sandbox import customers
from topups.sandbox.models import Customer as StripeCustomer
from topups.sandbox.models import Session


@pytest.fixture
def customer(site, make_customer):
    return make_customer("acme")


def make_due() -> None:
    Purchase.objects.filter(status="pending").update(next_check_at=timezone.now())


def test_a_customer_deleted_at_stripe_is_replaced(customer, plan):
    customer.get(customer.buy(plan))
    customers.delete(StripeCustomer.objects.get().pk, now=timezone.now())
    customer.get(customer.buy(plan))
    assert bought_credits(customer.organization) == [500, 500]
    new = StripeCustomer.objects.get(deleted_at=None)
    assert BillingAccount.objects.get().stripe_customer_id == new.pk


def test_a_colleague_buys_although_the_customer_was_deleted(customer, plan, make_customer):
    customer.get(customer.buy(plan))
    customers.delete(StripeCustomer.objects.get().pk, now=timezone.now())
    colleague = make_customer("colleague", customer.organization)
    colleague.get(colleague.buy(plan))
    assert bought_credits(customer.organization) == [500, 500]


def test_the_buyers_own_email_is_filled_in(customer, plan, make_customer):
    customer.choose(plan)
    colleague = make_customer("colleague", customer.organization)
    assert "colleague@example.com" in text(colleague.get(colleague.choose(plan).url))
    assert StripeCustomer.objects.get().email == "colleague@example.com"
    assert BillingAccount.objects.get().email == "colleague@example.com"


def test_a_checkout_at_which_stripe_breaks_is_begun_anew(customer, plan, monkeypatch):
    """Stripe keeps its answer to a key for a day, errors of its own included."""

    def broken(*_, **__):
        raise RuntimeError("Stripe broke")

    customer.raise_request_exception = False  # Of the sandbox's, which is heard in this process.
    with monkeypatch.context() as broken_stripe:
        broken_stripe.setattr("topups.sandbox.sessions.create", broken)
        assert customer.choose(plan).status_code == 503
    assert Purchase.objects.get().status == Purchase.Status.EXPIRED
    customer.get(customer.buy(plan))
    assert bought_credits(customer.organization) == [500]


def test_a_purchase_checked_at_last_forgets_its_failures(customer, plan, settings):
    customer.choose(plan)
    session = Session.objects.get()
    Session.objects.update(metadata={})
    make_due()
    tasks.sweep()
    assert Purchase.objects.get().failed_checks == 1
    Session.objects.update(metadata=session.metadata)
    make_due()
    tasks.sweep()
    assert (Purchase.objects.get().failed_checks, Purchase.objects.get().check_error) == (0, "")


def test_a_click_that_overtakes_another_shares_its_checkout(customer, plan, monkeypatch):
    """The slower click knows an older customer, so Stripe makes it a session of its own."""
    create = gateway.create_checkout_session
    pay_pages = []

    def be_overtaken(**order):
        monkeypatch.setattr(gateway, "create_checkout_session", create)
        pay_pages.append(customer.choose(plan).url)
        return create(**order | {"customer_id": new_customer.pk})

    new_customer = customers.create({"name": "Acme"}, now=timezone.now())
    monkeypatch.setattr(gateway, "create_checkout_session", be_overtaken)
    assert customer.choose(plan).url == pay_pages[0]
    assert Session.objects.count() == 2
    back = customer.post(pay_pages[0], {"card_number": "4242 4242 4242 4242"}).url
    assert "500 credits added" in text(customer.get(back))
    assert bought_credits(customer.organization) == [500]
