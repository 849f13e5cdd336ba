"""What a customer reads of a purchase afterwards, whatever became of its payment."""

from datetime import timedelta
from uuid import uuid4

import pytest
from buying import link, plan_of, text
from django.utils import timezone

from credits import ledger
from credits.models import Grant, Organization
from topups import refunds
from topups.models import Purchase
from topups.sandbox import bank, deliveries, disputes, promotions, sessions
from topups.sandbox import refunds as sandbox_refunds
from topups.sandbox.models import Refund, Session
from topups.sandbox.totals import Billing


@pytest.fixture
def customer(site, worker, make_customer):
    """Stripe's events reach us as they happen."""
    return make_customer("acme")


def row(customer) -> str:
    """What the list says of the newest purchase, from its price on."""
    return text(customer.get("/purchases/")).partition("Bought by State More ")[2]


def back_from(purchase: Purchase) -> str:
    return f"/top-up/return/?session_id={purchase.stripe_session_id}"


def payment_of(purchase: Purchase) -> str:
    return Session.objects.get(metadata__purchase_id=str(purchase.pk)).payment_id


@pytest.fixture
def paid(customer, plan) -> Purchase:
    customer.buy(plan)
    return Purchase.objects.get()


@pytest.fixture
def debited(customer, plan) -> Purchase:
    """A purchase whose payment the bank has yet to make."""
    customer.debit(plan)
    return Purchase.objects.get()


# --- Before it is paid ----------------------------------------------------------------------------


def test_an_abandoned_checkout_waits_and_leads_back_to_the_same_page(customer, plan):
    pay_page = customer.choose(plan).url
    assert row(customer).endswith("$10.00 acme@example.com Waiting for your payment Continue")
    assert customer.get(link(customer.get("/purchases/"), "Continue")).url == pay_page
    plans = customer.get("/top-up/")
    assert "You left a checkout open: 500 credits for $10.00 ." in text(plans)
    assert customer.get(link(plans, "Continue to payment")).url == pay_page


def test_a_colleague_is_not_told_to_pay_on_the_plans_but_may(customer, plan, make_customer):
    pay_page = customer.choose(plan).url
    colleague = make_customer("colleague", customer.organization)
    assert "You left a checkout open" not in text(colleague.get("/top-up/"))
    assert colleague.get(link(colleague.get("/purchases/"), "Continue")).url == pay_page


def test_a_checkout_of_another_organization_is_not_told_of(customer, plan, make_customer):
    customer.choose(plan)
    stranger = make_customer("stranger")
    assert "You left a checkout open" not in text(stranger.get("/top-up/"))
    purchase = Purchase.objects.get()
    for address in ("resume", "receipt", "invoice"):
        assert stranger.get(f"/purchases/{purchase.pk}/{address}/").status_code == 404
    assert stranger.get(f"/top-up/canceled/{purchase.pk}/").status_code == 404
    assert stranger.get(back_from(purchase)).status_code == 404


def test_a_checkout_that_was_paid_meanwhile_is_not_paid_again(customer, plan, settings):
    deliveries.hold()
    customer.buy(plan)
    assert "Waiting for your payment" in row(customer)
    resumed = customer.get(f"/purchases/{Purchase.objects.get().pk}/resume/", follow=True)
    assert resumed.redirect_chain == [("/purchases/", 302)]
    assert "This checkout is closed." in text(resumed)
    assert "Paid Receipt Invoice" in text(resumed)


def test_a_checkout_that_ended_is_closed_and_nothing_was_charged(customer, plan):
    customer.choose(plan)
    sessions.expire(Session.objects.get().pk, now=timezone.now())
    assert row(customer).endswith("$10.00 acme@example.com Not completed Nothing was charged.")
    assert "You left a checkout open" not in text(customer.get("/top-up/"))
    purchase = Purchase.objects.get()
    assert "This checkout has expired" in text(customer.get(back_from(purchase)))
    resumed = customer.get(f"/purchases/{purchase.pk}/resume/", follow=True)
    assert "This checkout is closed." in text(resumed)
    assert customer.get(f"/top-up/canceled/{purchase.pk}/").url == "/purchases/"


def test_a_checkout_whose_day_is_over_without_a_word_is_not_confirmed(customer, plan, monkeypatch):
    customer.choose(plan)
    later = timezone.now() + timedelta(hours=24)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert row(customer).endswith("Not confirmed yet We are asking our payment service.")
    assert "You left a checkout open" not in text(customer.get("/top-up/"))


def test_a_return_before_stripe_has_answered_offers_to_ask_again(customer, plan, settings):
    settings.STRIPE_API_BASE, with_stripe = "http://127.0.0.1:9", settings.STRIPE_API_BASE
    purchase = abandoned(customer, plan, with_stripe, settings)
    page = customer.get(back_from(purchase))
    assert "Your payment is not confirmed yet" in text(page)
    assert "You don’t need to pay again." in text(page)
    assert link(page, "Check again") == ""
    assert link(page, "continue to payment") == f"/purchases/{purchase.pk}/resume/"


def abandoned(customer, plan, with_stripe: str, settings) -> Purchase:
    """A purchase whose checkout was begun while Stripe was there."""
    down, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, with_stripe
    customer.choose(plan)
    settings.STRIPE_API_BASE = down
    return Purchase.objects.get()


def test_resuming_while_stripe_is_down_charges_nothing_and_says_so(customer, plan, settings):
    customer.choose(plan)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    page = customer.get(f"/purchases/{Purchase.objects.get().pk}/resume/")
    assert page.status_code == 503
    assert "Nothing was charged just now." in text(page)


def test_a_payment_that_does_not_fit_is_looked_into_and_not_paid_again(customer, plan, caplog):
    customer.choose(plan)
    Session.objects.update(amount_subtotal=9_00, amount_total=9_00)
    sessions.pay(Session.objects.get().pk, "4242424242424242", now=timezone.now())
    resumed = customer.get(f"/purchases/{Purchase.objects.get().pk}/resume/", follow=True)
    assert resumed.status_code == 200
    assert "We could not confirm this payment." in text(resumed)
    assert "WrongAmount" in caplog.text
    assert "not confirmed yet" in text(customer.get(back_from(Purchase.objects.get())))


# --- The bank takes its days ----------------------------------------------------------------------


def test_a_bank_debit_waits_for_the_bank(customer, debited):
    page = text(customer.get(back_from(debited)))
    assert "We’re waiting for your bank" in page
    assert "gets its 500 Amplience credits by itself, and we email acme@example.com" in page
    assert "You don’t need to pay again." in page
    assert row(customer).endswith(
        "$10.00 acme@example.com We’re waiting for your bank Your credits come by themselves."
    )
    assert not Grant.objects.filter(kind="top_up").exists()


def test_a_bank_debit_that_arrives_is_paid(customer, debited):
    bank.accept(payment_of(debited), now=timezone.now())
    assert "500 credits added" in text(customer.get(back_from(debited)))
    assert row(customer).endswith("$10.00 acme@example.com Paid Receipt Invoice")


def test_a_bank_debit_that_is_declined_is_told_kindly(customer, debited):
    bank.refuse(payment_of(debited), now=timezone.now())
    page = text(customer.get(back_from(debited)))
    assert "Your bank declined the payment" in page
    assert "Nothing was charged, and no credits were added." in page
    assert row(customer).endswith(
        "$10.00 acme@example.com Declined by your bank Nothing was charged."
    )


# --- What was paid --------------------------------------------------------------------------------


def test_a_free_order_is_free_and_has_no_receipt(customer, plan):
    promotions.create("GIFT", percent_off=100, now=timezone.now())
    customer.choose(plan)
    session = promotions.redeem(Session.objects.get().pk, "GIFT", now=timezone.now())
    sessions.complete_free(session.pk, now=timezone.now())
    purchase = Purchase.objects.get()
    page = text(customer.get(back_from(purchase)))
    assert "500 credits added" in page
    assert "There was nothing to pay, and Acme can use" in page
    assert row(customer).endswith("$0.00 $10.00 less $10.00 discount acme@example.com Free Invoice")
    receipt = customer.get(f"/purchases/{purchase.pk}/receipt/", follow=True)
    assert "There is no receipt for this purchase." in text(receipt)


def test_discount_and_tax_explain_what_was_paid(customer, plan, settings):
    settings.STRIPE_AUTOMATIC_TAX = True
    promotions.create("HALF", percent_off=50, now=timezone.now())
    customer.choose(plan)
    session = promotions.redeem(Session.objects.get().pk, "HALF", now=timezone.now())
    at_home = Billing(name="Acme", email="a@example.com", country="DE", postal_code="10115")
    sessions.pay(session.pk, "4242424242424242", billing=at_home, now=timezone.now())
    assert "500 $5.95 $10.00 less $5.00 discount plus $0.95 tax acme@example.com Paid" in row(
        customer
    )
    assert "Your payment of $5.95 arrived" in text(customer.get(back_from(Purchase.objects.get())))


@pytest.mark.parametrize("kind", ["receipt", "invoice"])
def test_receipt_and_invoice_lead_to_stripe(customer, paid, settings, kind):
    leads_to = customer.get(link(customer.get("/purchases/"), kind.capitalize())).url
    assert leads_to.startswith(f"{settings.STRIPE_API_BASE}/{kind}s/")
    assert "$10.00" in text(customer.get(leads_to))
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert customer.get(f"/purchases/{paid.pk}/{kind}/").status_code == 503


@pytest.mark.parametrize("kind", ["receipt", "invoice"])
def test_papers_stripe_does_not_know_are_told_honestly(customer, paid, kind):
    Session.objects.filter(pk=paid.stripe_session_id).delete()
    page = customer.get(f"/purchases/{paid.pk}/{kind}/", follow=True)
    assert page.status_code == 200
    assert f"There is no {kind} for this purchase." in text(page)


@pytest.mark.parametrize("kind", ["receipt", "invoice"])
def test_an_unpaid_purchase_has_no_papers(customer, debited, kind):
    assert customer.get(f"/purchases/{debited.pk}/{kind}/").status_code == 404
    assert customer.get(f"/purchases/{uuid4()}/{kind}/").status_code == 404


# --- Money that went back -------------------------------------------------------------------------


def test_a_refund_shows_on_the_list_and_on_the_return_page(customer, paid):
    sandbox_refunds.create(payment_of(paid), 4_00, now=timezone.now())
    assert row(customer).endswith("Refunded $4.00 of $10.00 Receipt Invoice")
    sandbox_refunds.create(payment_of(paid), 6_00, now=timezone.now())
    assert row(customer).endswith("acme@example.com Refunded Receipt Invoice")
    page = text(customer.get(back_from(paid)))
    assert "500 credits added" not in page
    assert "500 credits bought, and since then" in page
    assert "Your payment of $10.00 for Acme arrived on" in page
    assert page.endswith("Refunded See your purchases Back to the plans")


def test_a_refund_that_does_not_come_is_not_told_as_one(customer, paid, admin, settings):
    settings.STRIPE_API_BASE, with_stripe = "http://127.0.0.1:9", settings.STRIPE_API_BASE
    refund = refunds.request(
        paid, 4_00, reason="r", actor=admin.user, request_id=uuid4(), now=timezone.now()
    )
    assert "Paid Receipt" in row(customer)  # It is asked for, and may be refused.
    settings.STRIPE_API_BASE = with_stripe
    refunds.send(refund, now=timezone.now())
    assert "Refunded $4.00 of $10.00" in row(customer)
    sandbox_refunds.fail(Refund.objects.get().pk, now=timezone.now())
    assert "Paid Refund of $4.00 failed We will be in touch about it. Receipt" in row(customer)


def test_a_dispute_is_told_while_it_is_open_and_when_it_is_lost(customer, paid):
    dispute = disputes.open_inquiry(payment_of(paid), now=timezone.now())
    assert "Paid Receipt" in row(customer)
    disputes.escalate(dispute.pk, now=timezone.now())
    assert "Disputed What it bought and is unused is on hold until it is decided." in row(customer)
    assert "Disputed" in text(customer.get(back_from(paid)))
    disputes.lose(dispute.pk, now=timezone.now())
    assert "acme@example.com Returned by your bank Receipt" in row(customer)


def test_a_dispute_that_is_won_leaves_it_paid(customer, paid):
    dispute = disputes.open_chargeback(payment_of(paid), now=timezone.now())
    disputes.win(dispute.pk, now=timezone.now())
    assert "acme@example.com Paid Receipt" in row(customer)


def test_a_refund_and_a_dispute_of_the_rest_are_both_told(customer, paid):
    sandbox_refunds.create(payment_of(paid), 4_00, now=timezone.now())
    dispute = disputes.open_chargeback(payment_of(paid), 6_00, now=timezone.now())
    assert "Refunded $4.00 of $10.00 Disputed $6.00 of $10.00" in row(customer)
    disputes.lose(dispute.pk, now=timezone.now())
    assert "Refunded $4.00 of $10.00 Returned by your bank $6.00 of $10.00" in row(customer)


def test_what_was_used_before_a_refund_is_not_told(customer, paid):
    Organization.objects.update(weekly_credits=0)
    organization = Organization.objects.get()
    ledger.adjust(
        organization,
        -321,
        reason="used",
        actor=customer.user,
        now=timezone.now(),
    )
    sandbox_refunds.create(payment_of(paid), now=timezone.now())
    for path in ("/purchases/", back_from(paid), "/top-up/"):
        page = text(customer.get(path))
        assert "321" not in page
        assert "179" not in page


def test_the_list_asks_the_database_as_often_for_many_as_for_one(
    customer, paid, plan, django_assert_num_queries
):
    sandbox_refunds.create(payment_of(paid), 1_00, now=timezone.now())
    for chosen in (plan, plan_of(2_000), plan_of(10_000)):
        customer.buy(chosen)
        payment = payment_of(Purchase.objects.latest("created_at"))
        sandbox_refunds.create(payment, 1_00, now=timezone.now())
        disputes.open_chargeback(payment, 1_00, now=timezone.now())
    customer.get("/purchases/")
    with django_assert_num_queries(9):
        customer.get("/purchases/")
