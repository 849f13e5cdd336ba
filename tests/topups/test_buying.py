"""A customer's way: choose, pay, come back, look; against the sandbox over real HTTP."""

from datetime import timedelta
from uuid import uuid4

import pytest
from buying import bought_credits, link, plan_of, text
from django.test import Client
from django.utils import timezone

from credits.models import Email, Organization
from topups import tasks
from topups.models import Plan, Price, Purchase
from topups.sandbox.models import Delivery, Session


@pytest.fixture
def customer(site, make_customer):
    """Here the customer's database commits, so that the server sees the customer."""
    return make_customer("acme")


def make_due() -> None:
    Purchase.objects.filter(status="pending").update(next_check_at=timezone.now())


def test_buying_from_choice_to_credits_without_any_worker(customer, plan):
    back = customer.buy(plan)
    page = customer.get(back)
    assert page.status_code == 200
    assert "500 credits added" in text(page)
    assert bought_credits(customer.organization) == [500]
    assert customer.get(back).status_code == 200  # Reloading adds nothing.
    assert bought_credits(customer.organization) == [500]
    assert "$10.00 acme@example.com Paid" in text(customer.get("/purchases/"))


def test_buying_with_the_webhook_first(customer, plan, worker):
    back = customer.buy(plan)
    assert bought_credits(customer.organization) == [500]
    assert "500 credits added" in text(customer.get(back))
    assert bought_credits(customer.organization) == [500]
    assert Delivery.objects.get().status_code == 200


def test_the_price_is_ours_and_shown_by_stripe(customer, plan):
    page = customer.get(customer.choose(plan).headers["Location"])
    assert "500 Amplience credits $10.00 acme@example.com" in text(page)
    customer.post("/top-up/", {"plan": plan.pk, "amount_minor": "1", "credits": "999999"})
    assert set(Purchase.objects.values_list("credits", "amount_minor")) == {(500, 1000)}


def test_a_price_change_leaves_purchases_under_way_alone(customer, plan):
    pay_page = customer.choose(plan).headers["Location"]
    Plan.objects.filter(pk=plan.pk).update(credits=1)
    Price.objects.filter(plan=plan).update(amount_minor=99_00)
    back = customer.post(pay_page, {"card_number": "4242424242424242"}).headers["Location"]
    assert "500 credits added" in text(customer.get(back))
    assert "500 $10.00 acme@example.com Paid" in text(customer.get("/purchases/"))


def test_a_price_change_starts_a_checkout_of_its_own(customer, plan):
    before = customer.choose(plan).url
    Price.objects.filter(plan=plan).update(amount_minor=12_00)
    after = customer.choose(plan).url
    assert after != before
    assert "$12.00" in text(customer.get(after))
    assert "$10.00" in text(customer.get(before))


def test_a_declined_card_can_be_tried_again(customer, plan):
    pay_page = customer.choose(plan).headers["Location"]
    declined = customer.post(pay_page, {"card_number": "4000 0000 0000 0002"})
    # Redirected, so that neither Back nor Reload sends the card again.
    assert declined.status_code == 302
    assert "Your card was declined." in text(customer.get(declined.headers["Location"]))
    assert "declined." not in text(customer.get(pay_page)).partition("Test cards")[0]
    back = customer.post(pay_page, {"card_number": "4242424242424242"}).headers["Location"]
    assert "500 credits added" in text(customer.get(back))


def test_a_real_card_number_is_refused_by_the_sandbox(customer, plan):
    pay_page = customer.choose(plan).headers["Location"]
    assert "not a test card" in text(customer.post(pay_page, {"card_number": "5555"}, follow=True))


def test_a_canceled_checkout_changes_nothing_and_can_be_gone_on_with(customer, plan):
    pay_page = customer.choose(plan).headers["Location"]
    page = customer.get(cancel_url(customer, pay_page))
    assert page.status_code == 200
    assert "nothing was charged" in text(page)
    assert "500 credits for $10.00 is still open" in text(page)
    assert Purchase.objects.get().status == Purchase.Status.PENDING
    assert bought_credits(customer.organization) == []
    assert link(page, "Continue to payment")
    assert customer.get(link(page, "Continue to payment")).url == pay_page


def test_a_checkout_that_was_paid_after_all_is_not_called_canceled(customer, plan):
    pay_page = customer.choose(plan).headers["Location"]
    back = cancel_url(customer, pay_page)
    customer.get(customer.buy(plan))
    assert customer.get(back).url == "/purchases/"


def cancel_url(customer, pay_page: str) -> str:
    return link(customer.get(pay_page), "Cancel and go back")


def test_a_checkout_from_before_an_upgrade_leads_back_to_the_plans(customer):
    assert customer.get("/top-up/canceled/").url == "/top-up/"


def test_coming_back_without_paying_is_told_honestly(customer, plan):
    customer.choose(plan)
    session = Session.objects.get()
    page = customer.get("/top-up/return/", {"session_id": session.pk})
    assert "not confirmed yet" in text(page)
    assert bought_credits(customer.organization) == []


def test_coming_back_while_stripe_is_down_is_told_honestly(customer, plan, settings):
    back = customer.buy(plan)
    with_stripe = settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert "not confirmed yet" in text(customer.get(back))
    settings.STRIPE_API_BASE = with_stripe
    assert "500 credits added" in text(customer.get(back))


def test_choosing_while_stripe_is_down_charges_nothing_and_expires_in_a_day(
    customer, plan, settings, monkeypatch
):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    page = customer.choose(plan)
    assert page.status_code == 503
    assert "Nothing was charged" in text(page)
    purchase = Purchase.objects.get()
    assert purchase.status == Purchase.Status.PENDING
    for hours, status in ((23, Purchase.Status.PENDING), (30, Purchase.Status.EXPIRED)):
        later = purchase.created_at + timedelta(hours=hours)
        monkeypatch.setattr("django.utils.timezone.now", lambda later=later: later)
        tasks.sweep()
        purchase.refresh_from_db()
        assert purchase.status == status


def test_a_plan_stripe_refuses_is_told_honestly_logged_and_over_at_once(customer, plan, caplog):
    Price.objects.filter(plan=plan).update(amount_minor=1)
    page = customer.choose(plan)
    assert page.status_code == 502
    assert "cannot be bought right now" in text(page)
    assert "Nothing was charged" in text(page)
    assert "Stripe refuses a request of a customer" in caplog.text
    assert Purchase.objects.get().status == Purchase.Status.EXPIRED
    assert "Not completed" in text(customer.get("/purchases/"))


def test_one_credit_is_told_in_the_singular(customer, plan):
    Plan.objects.filter(pk=plan.pk).update(credits=1)
    Organization.objects.update(weekly_credits=1, show_balance=True)
    page = text(customer.get("/top-up/"))
    assert "1 credit $10.00" in page
    assert "1 Amplience credit left. 1 free credit comes back Monday" in page
    assert "1 Amplience credit $10.00" in text(customer.get(customer.choose(plan).url))
    thanks = text(customer.get(customer.buy(plan)))
    assert "1 credit added" in thanks
    assert "its 1 Amplience credit right away" in thanks


def test_a_double_click_makes_one_checkout(customer, plan):
    first, second = (customer.choose(plan).headers["Location"] for _ in range(2))
    assert first == second
    assert Purchase.objects.count() == Session.objects.count() == 1
    customer.post(second, {"card_number": "4242424242424242"})
    assert "This is paid" in text(customer.post(second, {"card_number": "4242424242424242"}))


def test_what_was_bought_can_be_bought_again_though_no_webhook_came(customer, plan):
    paid = customer.buy(plan)
    again = customer.buy(plan)
    assert paid != again
    customer.get(again)
    assert sorted(bought_credits(customer.organization)) == [500, 500]


def test_colleagues_who_choose_the_same_plan_pay_for_two(customer, plan, make_customer):
    colleague = make_customer("colleague", customer.organization)
    assert customer.choose(plan).url != colleague.choose(plan).url


def test_the_sweep_grants_once_what_nobody_told_us(customer, plan):
    customer.buy(plan)  # No webhook arrives, and the customer does not come back.
    assert bought_credits(customer.organization) == []
    tasks.sweep()  # Too early to ask.
    assert bought_credits(customer.organization) == []
    make_due()
    tasks.sweep()
    make_due()
    tasks.sweep()
    assert bought_credits(customer.organization) == [500]


def test_the_sweep_waits_while_stripe_is_down(customer, plan, settings):
    customer.buy(plan)
    with_stripe = settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    make_due()
    tasks.sweep()
    purchase = Purchase.objects.get()
    assert purchase.status == Purchase.Status.PENDING
    assert purchase.next_check_at > timezone.now() + timedelta(minutes=9)
    settings.STRIPE_API_BASE = with_stripe
    make_due()
    tasks.sweep()
    assert bought_credits(customer.organization) == [500]


def test_the_sweep_expires_what_was_never_paid(customer, plan):
    customer.choose(plan)
    Session.objects.update(expires_at=timezone.now())
    make_due()
    tasks.sweep()
    assert Purchase.objects.get().status == Purchase.Status.EXPIRED
    assert "Not completed" in text(customer.get("/purchases/"))


def test_one_purchase_that_fails_does_not_stop_the_sweep(customer, plan):
    customer.choose(plan)
    Session.objects.update(metadata={})
    customer.buy(plan_of(2_000))
    make_due()
    tasks.sweep()
    assert bought_credits(customer.organization) == [2_000]
    failed = Purchase.objects.get(plan=plan)
    assert failed.failed_checks == 1
    assert failed.check_error.startswith("ForeignSession")


def test_a_purchase_that_cannot_be_checked_is_told_to_staff_once(customer, plan, settings):
    settings.ALERT_EMAILS = ["billing@example.com"]
    customer.choose(plan)
    Session.objects.update(metadata={})
    for tries in range(1, 8):
        make_due()
        tasks.sweep()
        assert Email.objects.filter(template="alert").count() == (tries >= 5)


@pytest.mark.parametrize("sweeps", [True, False])
def test_a_checkout_stripe_no_longer_knows_makes_room_for_a_new_one(customer, plan, sweeps):
    customer.choose(plan)
    Session.objects.all().delete()  # As with the key of another account.
    if sweeps:
        make_due()
        tasks.sweep()
        assert Purchase.objects.get().status == Purchase.Status.EXPIRED
    customer.get(customer.buy(plan))
    assert bought_credits(customer.organization) == [500]


def test_somebody_elses_purchase_is_not_there(customer, plan, make_customer):
    back = customer.buy(plan)
    stranger = make_customer("stranger")
    assert stranger.get(back).status_code == 404
    assert bought_credits(customer.organization) == []
    assert "Nothing bought yet" in text(stranger.get("/purchases/"))
    colleague = make_customer("colleague", customer.organization)
    assert "500 credits added" in text(colleague.get(back))
    assert "acme@example.com" in text(colleague.get("/purchases/"))


@pytest.mark.parametrize("query", ["", "?session_id=", "?session_id=cs_test_1", "?session_id=%00"])
def test_a_return_without_a_known_session_is_not_there(customer, query):
    assert customer.get(f"/top-up/return/{query}").status_code == 404


def test_pages_ask_to_sign_in(db):
    purchase = uuid4()
    for path in (
        "/top-up/",
        "/top-up/return/?session_id=cs_1",
        f"/top-up/canceled/{purchase}/",
        "/purchases/",
        f"/purchases/{purchase}/resume/",
        f"/purchases/{purchase}/receipt/",
        f"/purchases/{purchase}/invoice/",
    ):
        response = Client().get(path)
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/accounts/login/")


def test_purchases_come_in_pages(customer, plan, monkeypatch):
    monkeypatch.setattr("topups.views.PURCHASES_PER_PAGE", 1)
    for chosen in (plan, plan_of(2_000)):
        customer.choose(chosen)
    assert "Older" in text(customer.get("/purchases/"))
    assert "Newer" in text(customer.get("/purchases/?page=99"))
    assert customer.get("/purchases/?page=x").status_code == 200
