"""What staff do about payments, in a real browser."""

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Page, expect

from credits import ledger
from credits.models import Organization, User
from topups import checkout
from topups.models import Price, Purchase
from topups.sandbox import sessions

EMAIL, PASSWORD = "fay@example.com", "a-calm-harbor-7"
REASON = "Bought twice by mistake"


@pytest.fixture
def purchase(site) -> Purchase:
    """500 credits for $10.00, paid, of which 350 are used."""
    organization = Organization.objects.create(name="Fern & Field", weekly_credits=0)
    buyer = User.objects.create_user("dana@example.com")
    now = timezone.now()
    price = Price.objects.select_related("plan").get(plan__credits=500)
    checkout.start(price, organization, buyer, now=now)
    purchase = Purchase.objects.get()
    sessions.pay(purchase.stripe_session_id, "4242 4242 4242 4242", now=now)
    checkout.check(purchase, now=now)
    ledger.spend(organization, "alt-text.generate", quantity=350, now=now)
    return purchase


@pytest.fixture
def staff(site) -> User:
    user = User.objects.create_user(EMAIL, PASSWORD, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=("support", "finance")))
    return user


@pytest.fixture(params=["light", "dark"])
def color_scheme(request) -> str:
    return request.param


@pytest.fixture
def page(open_page, color_scheme) -> Page:
    return open_page(color_scheme=color_scheme)


def sign_in(page: Page) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def open_purchase(page: Page) -> None:
    page.goto("/admin/topups/purchase/")
    page.get_by_role("row").filter(has_text="Fern & Field").get_by_role("link").first.click()


def choose(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).and_(page.locator("[href*='/purchase/']")).click()


def test_staff_refund_a_part_and_take_the_shortfall_from_other_credits(
    page, purchase, staff, screenshot, color_scheme
):
    sign_in(page)
    open_purchase(page)
    choose(page, "Refund")
    expect(page.get_by_label("Amount")).to_have_value("10.00")
    page.get_by_label("Amount").fill("4.0")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Write an amount in USD like 10 or 10.00.")).to_be_visible()
    screenshot(f"admin-refund-form-{color_scheme}")
    page.get_by_label("Amount").fill("4.00")
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Continue").click()
    consequences = page.locator("#consequences")
    expect(consequences).to_contain_text("$4.00 of $10.00 goes back to the buyer")
    expect(consequences).to_contain_text("150 now; 50 are gone already")
    screenshot(f"admin-refund-confirmation-{color_scheme}")
    assert not purchase.refunds.exists()

    page.get_by_role("button", name="Refund").click()
    expect(page.get_by_text("$4.00 is on its way back to the buyer.")).to_be_visible()
    expect(page.get_by_text("no longer had 50 credits when the money went back")).to_be_visible()
    expect(page.locator("#refunds")).to_contain_text(REASON)
    screenshot(f"admin-refund-result-{color_scheme}")

    now = timezone.now()
    ledger.adjust(purchase.organization, 60, reason="Thank you", actor=staff, now=now)
    choose(page, "Take from other credits")
    expect(page.get_by_label("Credits")).to_have_value("50")
    page.get_by_label("Reason").fill("Agreed by phone")
    screenshot(f"admin-shortfall-form-{color_scheme}")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("It has 60 now and will have 10.")).to_be_visible()
    screenshot(f"admin-shortfall-confirmation-{color_scheme}")
    page.get_by_role("button", name="Take credits").click()
    expect(page.get_by_text("Took 50 credits. Fern & Field now has 10.")).to_be_visible()
    expect(page.get_by_text("no longer had 50 credits when the money went back")).to_have_count(0)
    expect(page.locator("#log")).to_contain_text("Took 50 credits of the shortfall")

    page.goto("/admin/topups/purchase/")
    expect(page.get_by_text("Refunded $4.00")).to_be_visible()
    screenshot(f"admin-purchases-{color_scheme}")
