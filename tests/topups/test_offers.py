"""What the top-up page offers, to whom, and in which currency."""

import re

import pytest
from buying import plan_of, text
from django.test import Client
from django.utils import timezone

from credits import ledger
from credits.models import Membership, Organization, User
from topups.models import BillingAccount, Plan, Price, Purchase
from topups.money import format_rate


@pytest.fixture
def customer(site, make_customer):
    """Here the customer's database commits, so that the server sees the customer."""
    return make_customer("acme")


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
    Plan.objects.exclude(credits=500).update(is_active=False)
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


def test_the_page_tells_whether_stripe_or_the_sandbox_takes_the_payment(customer, settings):
    assert "a sandbox that stands in for Stripe" in text(customer.get("/top-up/"))
    settings.STRIPE_SANDBOX = False
    assert "We never see your card." in text(customer.get("/top-up/"))


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


def test_each_organization_is_offered_its_own_plans(customer, plan):
    other = Organization.objects.create(name="Zeta")
    Membership.objects.create(organization=other, user=customer.user)
    for organization, shown in ((customer.organization, "Acme"), (other, "Zeta")):
        page = customer.get("/top-up/", {"organization": organization.public_id})
        assert f'name="organization" value="{organization.public_id}"' in page.content.decode()
        assert current(page) == shown
    assert current(customer.get("/top-up/")) == "Zeta"  # The one chosen last.
    wrong = customer.post("/top-up/", {"plan": 0, "organization": other.public_id})
    assert current(wrong) == "Zeta"


def current(page) -> str:
    return re.search(r'aria-label="Organization">.*?aria-current="page">([^<]+)', page.text, re.S)[
        1
    ]


@pytest.mark.parametrize("wrong", ["org_0000000000000000", "x", "\0", ""])
def test_the_plans_of_a_foreign_organization_are_not_there(customer, make_customer, wrong):
    foreign = make_customer("foreign").organization
    for public_id in (wrong, foreign.public_id):
        assert customer.get("/top-up/", {"organization": public_id}).status_code == 404


def test_prices_are_in_the_currency_of_the_organization(customer, plan):
    Price.objects.create(plan=plan, currency="eur", amount_minor=9_50)
    BillingAccount.objects.create(organization=customer.organization, currency="eur")
    page = text(customer.get("/top-up/"))
    assert "500 credits €9.50 €0.019 per credit" in page
    assert "$" not in page
    assert "2,000 credits" not in page  # Nobody has said what it costs in euros.
    refused = customer.choose(plan_of(2_000))
    assert refused.status_code == 400
    assert "not offered any more" in text(refused)
    assert "500 credits added" in text(customer.get(customer.buy(plan)))
    assert "500 €9.50 acme@example.com Paid" in text(customer.get("/purchases/"))


def test_nothing_on_offer_in_a_currency_is_told_honestly(customer, plan):
    BillingAccount.objects.create(organization=customer.organization, currency="jpy")
    assert "Nothing is on offer in JPY right now." in text(customer.get("/top-up/"))
    assert customer.choose(plan).status_code == 400
    assert not Purchase.objects.exists()


def test_prices_say_plus_tax_where_tax_is_added(customer, settings):
    assert "plus tax" not in text(customer.get("/top-up/"))
    settings.STRIPE_AUTOMATIC_TAX = True
    page = customer.get("/top-up/")
    assert "500 credits $10.00 plus tax $0.02 per credit" in text(page)
    assert "Buy 500 credits for $10.00 plus tax" in page.text


def test_nobody_buys_for_a_foreign_organization(customer, plan, make_customer):
    foreign = make_customer("foreign").organization
    for wrong in (foreign.public_id, str(foreign.pk), "\0", "org_" + "0" * 16):
        page = customer.choose(plan, organization=wrong)
        assert page.status_code == 400
        assert "Choose one of yours" in text(page)
    assert not Purchase.objects.exists()


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
