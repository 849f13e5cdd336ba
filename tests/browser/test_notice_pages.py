"""What members are told, in a real browser: on each page, on one of its own, by unsubscribing."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect
from shopping import EMAIL, PASSWORD, PHONE, buy, pay, sign_in

from credits import ledger, notices
from credits.models import Email, Membership, NoticeKind, Organization, User

ACTION = "alt-text.generate"


@pytest.fixture
def organization(site) -> Organization:
    """An organization that sees its balance of 60 credits, owned by whoever signs in."""
    organization = Organization.objects.create(
        name="Fern & Field", weekly_credits=60, show_balance=True
    )
    owner = User.objects.create_user(EMAIL, PASSWORD)
    Membership.objects.create(organization=organization, user=owner, role=Membership.Role.OWNER)
    return organization


def spend(organization: Organization, quantity: int) -> None:
    ledger.spend(organization, ACTION, quantity=quantity, now=timezone.now())


def test_an_owner_is_told_below_the_threshold_then_that_credits_ran_out_and_came(
    page, organization, screenshot
):
    sign_in(page)
    page.goto("/notices/")
    expect(page.get_by_text("There was nothing to tell yet.")).to_be_visible()
    page.get_by_label("Tell us below").fill("20")
    page.get_by_role("button", name="Save threshold").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_label("Tell us below")).to_have_value("20")

    notice = page.get_by_role("complementary", name="Notice")
    spend(organization, 41)
    page.goto("/top-up/")
    expect(notice).to_contain_text(re.compile("Fern & Field has less than 20 .*credits left"))
    screenshot("notice-low")

    spend(organization, 19)
    page.reload()
    expect(notice).to_contain_text("is out of")
    expect(notice).to_contain_text("your time")
    screenshot("notice-out-of-credits")
    buy(page, "500")
    pay(page)
    expect(notice).to_contain_text("again")
    screenshot("notice-refilled")

    notice.get_by_role("button", name="Dismiss").click()
    expect(page).to_have_url(re.compile("/top-up/return/"))
    expect(notice).not_to_be_visible()
    page.goto("/notices/")
    expect(page.get_by_role("row")).to_have_count(4)
    screenshot("notices")


def test_an_email_is_unsubscribed_without_signing_in_and_turned_on_again(
    open_page, organization, site
):
    spend(organization, 60)
    notices.send_due(now=timezone.now())
    page = open_page()
    page.goto(Email.objects.get().context["unsubscribe_url"])
    page.screenshot(path="var/screenshots/unsubscribe.png")
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")
    user = User.objects.get()
    assert NoticeKind.OUT_OF_CREDITS not in notices.chosen_emails(user, organization)
    page.screenshot(path="var/screenshots/unsubscribed.png")

    page.get_by_role("link", name="Choose your emails").click()
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    box = page.get_by_label("Credits run out")
    expect(box).not_to_be_checked()
    box.check()
    page.get_by_role("button", name="Save emails").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    assert NoticeKind.OUT_OF_CREDITS in notices.chosen_emails(user, organization)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_notices_fit_a_phone(open_page, organization, color_scheme):
    organization.name = "Schifffahrtsgesellschaftskapitän" * 6
    organization.save()
    ledger.change_threshold(organization, 1_000_000_000, now=timezone.now() - timedelta(days=1))
    page = open_page(viewport=PHONE, color_scheme=color_scheme)
    sign_in(page)
    for quantity in (1, 59):
        spend(organization, quantity)
        page.goto("/notices/")
        expect(page.get_by_role("complementary", name="Notice")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
