"""Moments are told in the reader's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect
from shopping import EMAIL, PASSWORD, sign_in

from credits import ledger
from credits.models import Membership, Organization, User
from topups import checkout
from topups.models import Price

NIGHT = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
ADD_A_MOMENT = """([language, style]) => {
    document.documentElement.lang = language;
    const time = document.createElement("time");
    time.id = "added";
    time.dateTime = "2026-11-30T00:00:00+00:00";
    time.dataset.moment = style;
    document.querySelector("main").append(time);
}"""


@pytest.fixture
def customer(site) -> User:
    """Somebody who left a checkout in the night from Sunday to Monday, as UTC has it."""
    organization = Organization.objects.create(name="Fern & Field", weekly_credits=50)
    user = User.objects.create_user(EMAIL, PASSWORD)
    Membership.objects.create(organization=organization, user=user)
    checkout.start(Price.objects.first(), organization, user, now=NIGHT)
    return user


def moment(page: Page):
    return expect(page.locator("main time").first)


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Europe/Berlin", "Nov 23, 2026, 03:30"),
        ("America/New_York", "Nov 22, 2026, 21:30"),
        ("Asia/Kathmandu", "Nov 23, 2026, 08:15"),
    ],
)
def test_moments_are_told_where_the_reader_is(open_page, customer, zone, told):
    page = open_page(timezone_id=zone)
    sign_in(page)
    page.goto("/top-up/")
    refill = ledger.next_refill_at(timezone.now()).astimezone(ZoneInfo(zone))
    moment(page).to_have_text(f"{refill:%A %H:%M} your time")
    moment(page).to_have_attribute("title", f"{refill.astimezone(UTC):%b %-d, %Y, %H:%M} UTC")
    page.goto("/purchases/")
    moment(page).to_have_text(told)
    moment(page).to_have_attribute("title", "Nov 23, 2026, 02:30 UTC")


def test_a_moment_is_told_before_it_is_painted(open_page, customer):
    page = open_page(timezone_id="America/New_York")
    sign_in(page)
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => window.early = "
        "document.querySelector('main time').textContent)"
    )
    page.goto("/purchases/")
    assert page.evaluate("window.early") == "Nov 22, 2026, 21:30"


@pytest.mark.parametrize(
    ("language", "style", "told"),
    [
        ("en", "day", "Nov 29, 2026"),
        ("en", "weekday", "Sunday 19:00"),
        ("de", "minute", "29. Nov. 2026, 19:00"),
    ],
)
def test_moments_that_scripts_add_are_told_too(open_page, site, language, style, told):
    page = open_page(timezone_id="America/New_York")
    page.goto("/accounts/login/")
    page.evaluate(ADD_A_MOMENT, [language, style])
    expect(page.locator("#added")).to_have_text(told)


def test_moments_are_in_utc_where_no_script_runs(customer):
    client = Client()
    client.force_login(customer)
    assert ">Nov 23, 2026, 02:30 UTC</time>" in client.get("/purchases/").text
    assert ">Monday 00:00 UTC</time>" in client.get("/top-up/").text
