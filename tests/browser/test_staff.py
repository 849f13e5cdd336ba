"""What staff do in the admin, in a real browser."""

import re

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Page, expect

from credits.models import Entry, Organization, User

EMAIL, PASSWORD = "sam@example.com", "a-calm-harbor-7"
REASON = "Sorry for the outage on Friday"


@pytest.fixture
def organization(site) -> Organization:
    return Organization.objects.create(name="Fern & Field", weekly_credits=50)


@pytest.fixture
def supporter(site) -> User:
    user = User.objects.create_user(EMAIL, PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="support"))
    return user


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_member_of_staff_adjusts_a_balance_and_sees_it_in_the_ledger(
    page, supporter, organization, screenshot
):
    sign_in(page)
    expect(page).to_have_url(re.compile("/admin/$"))
    page.goto("/admin/credits/organization/")
    page.get_by_role("link", name="Fern & Field").first.click()
    page.get_by_role("link", name="Adjust credits").click()
    page.get_by_label("Credits").fill("120")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This field is required")).to_be_visible()
    screenshot("admin-adjust")
    assert not Entry.objects.exists()

    page.get_by_label("Reason").select_option("Goodwill")
    page.get_by_label("In your words").fill(REASON)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#balance")).to_contain_text("170")
    screenshot("admin-adjust-preview")
    page.get_by_role("button", name="Give 120 credits").click()
    expect(page.get_by_text("Gave 120 credits. Fern & Field now has 170.")).to_be_visible()
    screenshot("admin-organization")

    page.goto("/admin/credits/entry/")
    row = page.get_by_role("row").filter(has_text=REASON)
    expect(row).to_contain_text("120")
    expect(row).to_contain_text("sam@example.com")
    screenshot("admin-ledger")


def test_a_wrong_password_keeps_the_admin_closed(page, supporter, screenshot):
    sign_in(page, "wrong")
    expect(page.get_by_text("not correct").first).to_be_visible()
    screenshot("admin-wrong-password")
    page.goto("/admin/credits/organization/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
