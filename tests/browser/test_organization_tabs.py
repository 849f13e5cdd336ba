"""Everything about one organization in the admin, in a real browser: light, dark and on a phone."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Page, expect

from credits import ledger, people
from credits.access import create_key
from credits.models import Organization, User

EMAIL, PASSWORD = "sam@example.com", "a-calm-harbor-7"
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
}
TABS = ("Overview", "Activity", "Purchases", "Members and keys", "Notes", "Staff changes")


@pytest.fixture
def look() -> str:
    return "light"


@pytest.fixture
def page(open_page, look) -> Page:
    return open_page(**LOOKS[look])


@pytest.fixture
def supporter(site) -> User:
    user = User.objects.create_user(EMAIL, PASSWORD, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=("support", "finance")))
    return user


@pytest.fixture
def organization(supporter) -> Organization:
    """Three weeks of use, a gift, a member who invited another, and a key."""
    now = timezone.now()
    organization = Organization.objects.create(name="Fern & Field", weekly_credits=50)
    began = now - timedelta(days=21)
    Organization.objects.filter(pk=organization.pk).update(created_at=began)
    ledger.adjust(organization, 400, reason="Welcome", actor=supporter, now=began)
    for day in range(20):
        fields = {"quantity": 5 + day, "reference": f"asset-{day}"}
        at = began + timedelta(days=day, hours=1)
        ledger.spend(organization, "alt-text.generate", now=at, **fields)
    owner = User.objects.create_user("olivia@example.com")
    people.add_member(organization, owner, "owner", by=supporter, now=now)
    people.invite(organization, "nina@example.com", "member", by=owner, now=now)
    create_key(name="Production", organization=organization)
    return organization


def open_organization(page: Page, organization: Organization) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"/admin/credits/organization/{organization.pk}/change/")


def tab(page: Page, title: str):
    return page.get_by_role("navigation", name="About this organization").get_by_role(
        "link", name=title, exact=True
    )


def width(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("look", LOOKS)
def test_every_tab_shows_its_part_below_the_same_head(page, organization, look, screenshot):
    open_organization(page, organization)
    for title in TABS:
        tab(page, title).click()
        expect(tab(page, title)).to_have_attribute("aria-current", "page")
        expect(page.get_by_text(organization.public_id)).to_be_visible()
        expect(page.get_by_role("link", name="Adjust credits")).to_be_visible()
        assert width(page) <= page.viewport_size["width"]
        screenshot(f"organization-{title.lower().replace(' ', '-')}-{look}")


@pytest.mark.parametrize("list_title", ["Spends", "Entries"])
@pytest.mark.parametrize("look", ["light", "dark"])
def test_what_is_done_to_a_row_is_in_sight(open_page, look, organization, list_title, screenshot):
    page = open_page(**LOOKS[look] | {"viewport": {"width": 1280, "height": 900}})
    open_organization(page, organization)
    tab(page, "Activity").click()
    page.get_by_role("navigation", name="List").get_by_role("link", name=list_title).click()
    box = page.get_by_role("link", name="Explain", exact=True).last.bounding_box()
    frame = page.locator(".movements > div").bounding_box()
    assert box["x"] + box["width"] <= frame["x"] + frame["width"] <= 1280
    assert width(page) <= 1280
    screenshot(f"organization-activity-{list_title.lower()}-1280-{look}")


def test_the_numbers_of_the_chart_are_read_without_it(page, organization):
    open_organization(page, organization)
    picture = page.get_by_role("img", name="The balance at the end of each of the last 30 days")
    expect(picture).to_be_visible()
    page.get_by_text("Show as a table").click()
    table = page.get_by_role("region", name="Balance at the end of each day")
    expect(table.get_by_role("row")).to_have_count(31)
    page.get_by_role("link", name="90 days").click()
    page.get_by_text("Show as a table").click()
    expect(table.get_by_role("row")).to_have_count(91)


def test_the_tabs_are_walked_with_the_keyboard(page, organization):
    open_organization(page, organization)
    tab(page, "Overview").focus()
    page.keyboard.press("Tab")
    expect(tab(page, "Activity")).to_be_focused()
    page.keyboard.press("Enter")
    expect(tab(page, "Activity")).to_have_attribute("aria-current", "page")


def test_support_finds_a_spend_and_leaves_a_note(page, organization):
    open_organization(page, organization)
    tab(page, "Activity").click()
    page.get_by_label("Reference").fill("asset-7")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("row").filter(has_text="asset-7")).to_have_count(1)
    page.get_by_role("link", name="Entries", exact=True).last.click()
    expect(page.get_by_role("row").filter(has_text="alt-text.generate")).to_have_count(1)

    tab(page, "Notes").click()
    page.get_by_label("Add a note").fill("Asked where asset-7 went.")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_text("Added your note.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="asset-7 went")).to_contain_text(EMAIL)
