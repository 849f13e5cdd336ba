"""What staff do to a spend, a hold, a grant, a notice and an email, in a real browser."""

import re

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Page, expect

from credits import ledger, mail, notices
from credits.models import Email, Grant, Membership, Organization, User
from tests.purchases import paid_purchase

EMAIL, PASSWORD = "sam@example.com", "a-calm-harbor-7"
REASON = "The image was blank, ticket 4711"
PHONE = {"width": 360, "height": 780}
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": PHONE},
}


@pytest.fixture
def supporter(site) -> User:
    user = User.objects.create_user(EMAIL, PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="support"))
    return user


@pytest.fixture
def organization(site, supporter) -> Organization:
    """It bought 100 credits and used 120 of all; 20 more are set aside, and 10 are left."""
    organization = Organization.objects.create(name="Fern & Field", weekly_credits=50)
    dana = User.objects.create_user("dana@example.com")
    Membership.objects.create(organization=organization, user=dana)
    now = timezone.now()
    purchase = paid_purchase(organization, 100, now=now)
    kind = Grant.Kind.TOP_UP
    ledger.grant(organization, 100, kind=kind, purchase_id=purchase.pk, now=now)
    action = "alt-text.generate"
    ledger.spend(organization, action, quantity=120, reference="asset-9", now=now)
    ledger.hold(organization, action, quantity=20, reference="asset-10", now=now)
    return organization


@pytest.fixture(params=LOOKS)
def look(request) -> str:
    return request.param


@pytest.fixture
def page(open_page, look, supporter) -> Page:
    page = open_page(**LOOKS[look])
    page.goto("/admin/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/admin/$"))
    return page


def choose(page: Page, model: str, row: str, action: str) -> None:
    """Follow the link of an action in the list."""
    page.goto(f"/admin/credits/{model}/")
    page.locator("tbody").filter(has_text=row).get_by_role("link", name=action, exact=True).click()


def test_a_spend_is_refunded_a_hold_released_and_a_grant_revoked(
    page, organization, screenshot, look
):
    page.goto("/admin/credits/spend/")
    screenshot(f"admin-spends-{look}")
    choose(page, "spend", "asset-9", "Refund")
    expect(page.get_by_label("Credits")).to_have_value("120")
    page.get_by_label("Credits").fill("80")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("This field is required")).to_be_visible()
    screenshot(f"admin-spend-refund-form-{look}")
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Continue").click()
    consequences = page.locator("#consequences")
    expect(consequences).to_contain_text("70 credits will go back to the top-up of 100")
    expect(consequences).to_contain_text("10 credits will go back to the weekly bundle of 50")
    expect(consequences).to_contain_text("can spend 10 credits now and will be able to spend 90")
    screenshot(f"admin-spend-refund-confirmation-{look}")
    page.get_by_role("button", name="Refund").click()
    expect(page.get_by_text("Gave back 80 credits. Fern & Field now has 90.")).to_be_visible()
    screenshot(f"admin-spend-refunded-{look}")

    choose(page, "spend", "asset-10", "Release")
    page.get_by_label("Reason").fill("The extension hangs")
    page.get_by_role("button", name="Continue").click()
    expect(consequences).to_contain_text("20 credits will go back to the top-up of 100")
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_text("Released 20 credits. Fern & Field now has 110.")).to_be_visible()
    expect(page.get_by_role("link", name="Release")).to_have_count(0)

    choose(page, "grant", "Top-up", "Revoke")
    page.get_by_label("Reason").fill("Bought with a stolen card")
    page.get_by_role("button", name="Continue").click()
    expect(consequences).to_contain_text("100 credits will be taken out of the top-up of 100")
    expect(consequences).to_contain_text("No money goes back by this.")
    screenshot(f"admin-grant-revoke-confirmation-{look}")
    ledger.spend(organization, "alt-text.generate", quantity=15, now=timezone.now())
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Things have changed since you looked")).to_be_visible()
    expect(consequences).to_contain_text("95 credits will be taken out of the top-up of 100")
    screenshot(f"admin-grant-revoke-changed-{look}")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Took 95 credits. Fern & Field now has 0.")).to_be_visible()

    page.goto("/admin/credits/entry/")
    expect(page.locator("tbody").filter(has_text=REASON).first).to_contain_text(EMAIL)
    screenshot(f"admin-entries-with-reasons-{look}")


def test_a_notice_is_sent_again_and_an_email_tried(page, organization, screenshot, look):
    now = timezone.now()
    ledger.spend(organization, "alt-text.generate", quantity=10, now=now)
    notices.send_due(now=now)
    choose(page, "notice", "Out of credits", "Send again")
    expect(page.get_by_text("1 email will go out within a minute, to dana@")).to_be_visible()
    screenshot(f"admin-notice-resend-{look}")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("1 email will go out within a minute.")).to_be_visible()

    Email.objects.all().delete()
    mail.queue("a", to="pay@example.com", template="alert", context={"subject": "S"}, now=now)
    choose(page, "email", "pay@example.com", "Try now")
    screenshot(f"admin-email-try-{look}")
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_text("Sent to pay@example.com.")).to_be_visible()
    assert Email.objects.get().sent_at
