"""Support answers "where did my credits go?" in a real browser."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Page, expect

from credits import ledger
from credits.models import User
from tests.credits.acme import REASON, a_week_at_acme

EMAIL, PASSWORD = "sam@example.com", "a-calm-harbor-7"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def supporter(site) -> User:
    user = User.objects.create_user(EMAIL, PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="support"))
    return user


@pytest.fixture
def monday() -> datetime:
    """Of last week, which has passed whatever the clock says."""
    return ledger.week_start(timezone.now() - timedelta(days=7))


@pytest.fixture
def acme(supporter, monday):
    return a_week_at_acme(supporter, monday)


def half_past_twelve(monday: datetime) -> str:
    """Tuesday, when the album was refunded."""
    return f"{monday + timedelta(days=1, hours=12, minutes=30):%Y-%m-%dT%H:%M:%S}"


def sign_in(page: Page) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Password")).to_have_count(0)


def test_a_moment_is_chosen_a_grant_unfolds_and_leads_to_the_spend(page, acme, monday, screenshot):
    sign_in(page)
    page.goto(f"/admin/credits/organization/{acme.organization.pk}/change/")
    page.get_by_role("link", name="Explain").click()
    page.get_by_label("Moment (UTC)").fill(half_past_twelve(monday))
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="Acme could spend 96 at Tue")).to_be_visible()
    album = page.get_by_role("link", name="background.remove")
    expect(album.first).not_to_be_visible()
    page.locator("summary").filter(has_text=REASON).click()
    expect(album.first).to_be_visible()
    screenshot("admin-explain")
    album.first.click()
    expect(page.get_by_role("heading", name="55 credits spent")).to_be_visible()
    screenshot("admin-explain-spend")


@pytest.mark.parametrize("what", ["balance", "spend"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_read_on_a_phone(open_page, acme, monday, what, scheme):
    page = open_page(viewport=PHONE, color_scheme=scheme)
    sign_in(page)
    page.goto(
        f"/admin/credits/spend/{acme.album.pk}/explain/"
        if what == "spend"
        else f"/admin/credits/organization/{acme.organization.pk}/explain/"
        f"?at={half_past_twelve(monday)}"
    )
    for summary in page.locator("summary").all():
        summary.click()
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
