"""Finance reads its months and closes one, in a real browser."""

import csv

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Page, expect

from credits import ledger
from credits.models import Organization, User
from tests.topups.bookkeeping import (
    ACTION,
    DECEMBER,
    NOVEMBER,
    dispute_at,
    roll_up,
    sell_at,
    tell_the_example,
)

EMAIL, PASSWORD = "fay@example.com", "a-calm-harbor-7"
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
}


@pytest.fixture(params=LOOKS)
def look(request) -> str:
    return request.param


@pytest.fixture
def page(open_page, look) -> Page:
    return open_page(**LOOKS[look])


@pytest.fixture
def months(site) -> None:
    """The example of the guide, and one with a hold, a dispute and free credits."""
    tell_the_example()
    fern = Organization.objects.create(name="Fern & Field", weekly_credits=50)
    purchase = sell_at(NOVEMBER, fern, credits=50_000, list_minor=1_250_00, tax_minor=237_12)
    ledger.spend(fern, ACTION, quantity=12_345, now=NOVEMBER)
    ledger.hold(fern, ACTION, quantity=600, expires_in_seconds=86_400, now=NOVEMBER)
    dispute_at(NOVEMBER, purchase, 100_00)
    sell_at(NOVEMBER, fern, credits=500, list_minor=1_200, currency="jpy", discount_minor=0)
    roll_up(DECEMBER)


@pytest.fixture
def staff(site) -> User:
    user = User.objects.create_user(EMAIL, PASSWORD, is_staff=True)
    user.groups.set(Group.objects.filter(name="finance"))
    return user


def sign_in(page: Page) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def nothing_scrolls_sideways(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_finance_reads_a_month_downloads_it_and_closes_it(page, months, staff, screenshot, look):
    sign_in(page)
    page.goto("/admin/topups/monthtotal/")
    expect(page.get_by_text("As of 2026-12-01 02:00 UTC")).to_be_visible()
    nothing_scrolls_sideways(page)
    screenshot(f"finance-months-{look}")
    page.get_by_label("Currency").select_option("jpy")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("Deferred balance in JPY")).to_be_visible()

    page.goto("/admin/topups/monthtotal/?currency=usd")
    page.get_by_role("link", name="Nov 2026").click()
    expect(page.locator("#roll-forward")).to_contain_text("Recognized as used")
    nothing_scrolls_sideways(page)
    screenshot(f"finance-month-{look}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Top-ups", exact=False).and_(
            page.locator("[href*='top-ups.csv']")
        ).click()
    with open(download.value.path(), newline="") as file:
        assert len(list(csv.DictReader(file))) == 3

    page.get_by_role("link", name="Close month").click()
    expect(page.locator("#figures")).to_contain_text("October 2026 in USD: 6.66 deferred")
    screenshot(f"finance-close-{look}")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("Closed November 2026. Its figures are kept")).to_be_visible()
    expect(page.locator("#state")).to_contain_text("by fay@example.com")
    screenshot(f"finance-closed-{look}")
    page.goto("/admin/topups/monthtotal/?currency=usd&month=11")
    expect(page.get_by_text("Choose the year of this month too.")).to_be_visible()
    screenshot(f"finance-error-{look}")
