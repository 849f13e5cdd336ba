"""A customer's way: choose, pay, come back, look; against the sandbox over real HTTP."""

import re
from datetime import timedelta

import pytest
from buying import bought_credits
from django.test import Client
from django.utils import timezone

from credits import ledger
from credits.models import Membership, Organization, User
from topups import tasks
from topups.models import Plan, Purchase
from topups.money import format_rate
from topups.sandbox.models import Delivery, Session


def text(response) -> str:
    """What a reader sees, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@pytest.fixture
def customer(site, make_customer):
    """Here the customer's database commits, so that the server sees the customer."""
    return make_customer("acme")


def make_due() -> None:
    Purchase.objects.filter(status="pending").update(next_check_at=timezone.now())


def test_three_plans_are_on_offer_with_a_discount_for_more(customer):
    page = text(customer.get("/top-up/"))
    for offer in ("500 credits $10.00", "2,000 credits $36.00", "10,000 credits $150.00"):
        assert offer in page
    assert "Sandbox" in page
    assert "50 free credits come back Monday" in page


def test_plans_tell_what_one_credit_costs_and_which_is_the_best_value(customer):
    page = text(customer.get("/top-up/"))
    assert re.findall(r"(\S+) per credit", page) == ["$0.02", "$0.018", "$0.015"]
    assert re.findall(r"Best value.*?([\d,]+) credits", page, re.DOTALL) == ["10,000"]
    Plan.objects.filter(credits=500).update(currency="eur")
    assert "Best value" not in text(customer.get("/top-up/"))


@pytest.mark.parametrize(
    ("amount_minor", "credits", "currency", "rate"),
    [
        (100_00, 1, "usd", "$100.00"),
        (500, 100, "jpy", "5 JPY"),
        (50, 100, "jpy", "0.5 JPY"),
        (1, 3, "gbp", "£0.0033"),
        (50, 1_000_000, "usd", "$0.0000005"),
    ],
)
def test_the_price_of_one_credit_is_as_fine_as_it_needs_to_be(
    amount_minor, credits, currency, rate
):
    assert format_rate(amount_minor, credits, currency) == rate


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
    Plan.objects.filter(pk=plan.pk).update(credits=1, amount_minor=99_00)
    back = customer.post(pay_page, {"card_number": "4242424242424242"}).headers["Location"]
    assert "500 credits added" in text(customer.get(back))


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


def test_a_canceled_checkout_changes_nothing(customer, plan):
    pay_page = customer.choose(plan).headers["Location"]
    cancel_url = re.search(r'href="([^"]*canceled/)"', customer.get(pay_page).content.decode())[1]
    page = customer.get(cancel_url)
    assert page.status_code == 200
    assert "nothing was charged" in text(page)
    assert Purchase.objects.get().status == Purchase.Status.PENDING
    assert bought_credits(customer.organization) == []


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
    Plan.objects.filter(pk=plan.pk).update(amount_minor=1)
    page = customer.choose(plan)
    assert page.status_code == 502
    assert "cannot be bought right now" in text(page)
    assert "Nothing was charged" in text(page)
    assert f"Stripe refuses to sell plan {plan.pk}" in caplog.text
    assert Purchase.objects.get().status == Purchase.Status.EXPIRED
    assert "Not completed" in text(customer.get("/purchases/"))


def test_the_page_tells_whether_stripe_or_the_sandbox_takes_the_payment(customer, settings):
    assert "a sandbox that stands in for Stripe" in text(customer.get("/top-up/"))
    settings.STRIPE_SANDBOX = False
    assert "We never see your card." in text(customer.get("/top-up/"))


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


def test_a_double_submit_makes_two_checkouts_and_only_the_paid_one_counts(customer, plan):
    first, second = (customer.choose(plan).headers["Location"] for _ in range(2))
    assert first != second
    customer.post(second, {"card_number": "4242424242424242"})
    again = customer.post(second, {"card_number": "4242424242424242"}, follow=True)
    assert "This is paid" in text(again)
    make_due()
    tasks.sweep()
    assert bought_credits(customer.organization) == [500]
    statuses = Purchase.objects.order_by("created_at").values_list("status", flat=True)
    assert list(statuses) == ["pending", "paid"]


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
    Session.objects.all().delete()
    customer.buy(plan)
    make_due()
    tasks.sweep()
    assert bought_credits(customer.organization) == [500]


def test_only_plans_on_offer_can_be_bought(customer, plan):
    Plan.objects.filter(pk=plan.pk).update(is_active=False)
    assert "500 credits" not in text(customer.get("/top-up/"))
    for wrong in (plan.pk, 0, "x", "9" * 30, "\0", ""):
        page = customer.post("/top-up/", {"plan": wrong})
        assert page.status_code == 400
        assert b'role="alert"' in page.content
    assert customer.post("/top-up/").status_code == 400
    assert not Purchase.objects.exists()


def test_without_plans_the_page_says_so(customer):
    Plan.objects.update(is_active=False)
    assert "Nothing is on offer" in text(customer.get("/top-up/"))


def test_members_of_several_organizations_say_which_one_they_buy_for(customer, plan):
    other = Organization.objects.create(name="Zeta")
    Membership.objects.create(organization=other, user=customer.user)
    unsaid = customer.choose(plan)
    assert unsaid.status_code == 400
    assert "Choose the organization" in text(unsaid)
    customer.choose(plan, organization=other.public_id)
    assert Purchase.objects.get().organization == other


def test_nobody_buys_for_a_foreign_organization(customer, plan, make_customer):
    foreign = make_customer("foreign").organization
    for wrong in (foreign.public_id, str(foreign.pk), "\0", "org_" + "0" * 16):
        page = customer.choose(plan, organization=wrong)
        assert page.status_code == 400
        assert "Choose one of yours" in text(page)
    assert not Purchase.objects.exists()


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
    for path in ("/top-up/", "/top-up/return/?session_id=cs_1", "/purchases/"):
        response = Client().get(path)
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/accounts/login/")
    assert Client().get("/top-up/canceled/").status_code == 200


def test_a_user_of_no_organization_reads_a_kind_page(db):
    client = Client()
    client.force_login(User.objects.create_user("alone@example.com"))
    page = client.get("/top-up/")
    assert page.status_code == 200
    assert "alone@example.com" in text(page)
    assert client.post("/top-up/", {"plan": 1}).status_code == 200
    assert not Purchase.objects.exists()


def test_the_balance_shows_only_where_staff_let_it(customer):
    hidden = text(customer.get("/top-up/"))
    assert " left" not in hidden
    Organization.objects.update(show_balance=True)
    shown = ledger.balance(customer.organization, now=timezone.now()).total
    assert f"{shown} Amplience credits left" in text(customer.get("/top-up/"))


def test_purchases_come_in_pages(customer, plan, monkeypatch):
    monkeypatch.setattr("topups.views.PURCHASES_PER_PAGE", 1)
    for _ in range(2):
        customer.choose(plan)
    assert "Older" in text(customer.get("/purchases/"))
    assert "Newer" in text(customer.get("/purchases/?page=99"))
    assert customer.get("/purchases/?page=x").status_code == 200
