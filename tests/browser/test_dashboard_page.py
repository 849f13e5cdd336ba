"""The first page of the admin in a real browser: in light, in dark, on a phone, and empty."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from credits import jobs, ledger, totals
from credits.models import Organization, Service, User
from tests.browser.conftest import photograph
from tests.topups.sold import dispute, give_back, sell
from topups.models import StripeEvent

EMAIL, PASSWORD = "sam@example.com", "a-calm-harbor-7"
PHONE = {"width": 360, "height": 780}
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}


@pytest.fixture
def staff(site) -> User:
    return User.objects.create_user(EMAIL, PASSWORD, is_staff=True, is_superuser=True)


def sign_in(page: Page) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/admin/$"))


def furnish() -> None:
    """A month of use, some sales, and trouble of each kind."""
    now = timezone.now()
    days = [now - timedelta(days=back) for back in range(33, 0, -1)]
    organizations = [
        Organization.objects.create(name=f"Shop {n}", weekly_credits=500) for n in range(3)
    ]
    actions = list(Service.objects.values_list("actions__code", flat=True))
    for number, day in enumerate([*days, now]):
        for turn, action in enumerate(filter(None, actions)):
            quantity = 1 + (number * (3 + turn) + turn * 7) % (31 - 4 * turn)
            organization = organizations[(number + turn) % 3]
            ledger.spend(organization, action, quantity=quantity, now=day)
    list(jobs.refill(as_of=now, now=now - timedelta(minutes=12)))
    list(jobs.check_ledger(now=now - timedelta(hours=9)))
    for credits, paid_minor, currency in (
        (500, 1000, "usd"),
        (10_000, 149_00, "usd"),
        (2000, 33_00, "eur"),
    ):
        sell(organizations[0], credits=credits, paid_minor=paid_minor, currency=currency)
    give_back(sell(organizations[1], paid_minor=20_00), 5_00)
    dispute(sell(organizations[1]), 10_00)
    StripeEvent.objects.create(
        event_id="evt_1",
        type="x",
        payload={},
        status="failed",
        received_at=now,
        next_attempt_at=now,
    )
    with pytest.raises(ledger.OutOfCredits):
        ledger.spend(organizations[2], actions[0], quantity=100_000, now=now)
    totals.roll_up(now=now)


@pytest.mark.parametrize("look", LOOKS)
def test_the_page_is_read_at_a_glance(open_page, staff, look):
    furnish()
    page = open_page(**LOOKS[look])
    sign_in(page)
    expect(page.get_by_role("heading", name="2 things need attention")).to_be_visible()
    page.get_by_text("Show as a table").click()
    photograph(page, f"dashboard-{look}")
    assert_fits(page)


@pytest.mark.parametrize("look", ["light", "phone-dark"])
def test_an_empty_page_is_calm(open_page, staff, look):
    totals.roll_up(now=timezone.now())
    page = open_page(**LOOKS[look])
    sign_in(page)
    expect(page.get_by_role("heading", name="Nothing needs attention")).to_be_visible()
    photograph(page, f"dashboard-empty-{look}")
    assert_fits(page)


def test_a_number_leads_to_its_rows_by_keyboard(page, staff):
    furnish()
    sign_in(page)
    spent = page.get_by_role("row", name="Spent").get_by_role("link").first
    spent.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#result_list")).to_be_visible()
    assert "kind__exact=spend" in page.url
    page.go_back()
    page.get_by_role("link", name="30 days").click()
    expect(page.get_by_role("link", name="30 days")).to_have_attribute("aria-current", "true")


def assert_fits(page: Page) -> None:
    wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wider, "The page scrolls sideways."
