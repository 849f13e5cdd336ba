"""What customers do on the pages, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect
from shopping import DECLINED_CARD, EMAIL, PASSWORD, PHONE, buy, pay, sign_in

from credits.access import create_key
from credits.models import Membership, Organization, User
from topups.models import Plan, Purchase


@pytest.fixture
def organization(site) -> Organization:
    """An organization of three free credits a week, owned by whoever signs in."""
    organization = Organization.objects.create(name="Fern & Field", weekly_credits=3)
    owner = User.objects.create_user(EMAIL, PASSWORD)
    Membership.objects.create(organization=organization, user=owner, role=Membership.Role.OWNER)
    return organization


def spend(page: Page, secret: str):
    return page.request.post(
        "/api/v1/spends",
        headers={"Authorization": f"Bearer {secret}"},
        data={"action": "alt-text.generate"},
    )


def test_a_customer_who_runs_out_tops_up_and_goes_on(page, organization, screenshot):
    _, secret = create_key(name="CMS", organization=organization)
    assert [spend(page, secret).status for _ in range(4)] == [201, 201, 201, 402]
    refusal = spend(page, secret).json()
    assert refusal["code"] == "out_of_credits"

    page.goto(refusal["top_up_url"])
    screenshot("sign-in")
    sign_in(page)
    page.goto(refusal["top_up_url"])
    expect(page.get_by_role("heading", level=1)).to_contain_text("Top up")
    screenshot("top-up")
    buy(page, "500")
    screenshot("sandbox-payment")
    pay(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("500 credits added")
    screenshot("credits-added")

    assert spend(page, secret).status == 201
    page.get_by_role("link", name="See your purchases").click()
    row = page.get_by_role("row").filter(has_text="Fern & Field")
    expect(row).to_contain_text("500")
    expect(row).to_contain_text("Paid")
    screenshot("purchases")
    assert organization.grants.filter(kind="top_up").count() == 1


def test_a_declined_card_adds_nothing_until_another_one_pays(page, organization, screenshot):
    sign_in(page)
    buy(page, "2,000")
    pay(page, DECLINED_CARD)
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    screenshot("card-declined")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Pay by card")
    assert not organization.grants.filter(kind="top_up").exists()
    pay(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("2,000 credits added")


def test_a_canceled_checkout_returns_kindly_and_can_be_gone_on_with(page, organization, screenshot):
    sign_in(page)
    buy(page, "500")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("No worries, nothing was charged")
    screenshot("checkout-canceled")
    assert not organization.grants.filter(kind="top_up").exists()
    page.get_by_role("link", name="Continue to payment").click()
    pay(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("500 credits added")
    assert Purchase.objects.get().is_paid


def test_a_member_of_several_organizations_says_which_one_gets_the_credits(page, organization):
    second = Organization.objects.create(name="Zebra Lane")
    Membership.objects.create(organization=second, user=User.objects.get())
    sign_in(page)
    page.goto("/top-up/")
    page.get_by_role("link", name="Zebra Lane").click()
    expect(page.get_by_role("heading", name="Zebra Lane")).to_be_visible()
    page.get_by_role("button", name="Buy 500 credits").click()
    pay(page)
    expect(page.locator("main")).to_contain_text("Zebra Lane")
    assert second.grants.get(kind="top_up").amount == 500
    assert not organization.grants.filter(kind="top_up").exists()


def test_a_wrong_password_is_told_and_stays_outside(page, organization, screenshot):
    sign_in(page, "wrong")
    expect(page.get_by_text("not correct")).to_be_visible()
    screenshot("wrong-password")
    page.goto("/top-up/")
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_an_owner_makes_copies_and_revokes_a_key(page, organization, screenshot):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page)
    page.get_by_role("navigation").get_by_role("link", name="API keys").click()
    page.get_by_label("Name").fill("Production CMS")
    page.get_by_role("button", name="Create key").click()
    screenshot("new-key")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    secret = page.evaluate("navigator.clipboard.readText()")
    assert spend(page, secret).status == 201

    page.reload()
    assert organization.api_keys.count() == 1
    expect(page.locator("main")).not_to_contain_text(secret)
    screenshot("keys")
    page.get_by_role("link", name="Revoke Production CMS").click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")
    assert spend(page, secret).status == 401


def test_a_customer_signs_out_from_the_menu(page, organization):
    sign_in(page)
    page.get_by_role("button", name=f"Account of {EMAIL}").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.goto("/purchases/")
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_the_keyboard_reaches_the_content_first(page, site):
    page.goto("/accounts/login/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_every_page_fits_a_phone(open_page, organization, color_scheme):
    organization.name = "Schifffahrtsgesellschaftskapitän" * 6
    organization.save()
    create_key(name="k" * 100, organization=organization)
    Plan.objects.update(name="P" * 100)
    page = open_page(viewport=PHONE, color_scheme=color_scheme)
    sign_in(page)
    buy(page, "500")
    pay(page)
    page.wait_for_url("**/top-up/return/**")
    returned = page.url
    buy(page, "2,000")
    left = Purchase.objects.get(status=Purchase.Status.PENDING)
    for path in (
        returned,
        "/",
        "/top-up/",
        f"/top-up/canceled/{left.pk}/",
        "/purchases/",
        "/keys/",
        f"/keys/{organization.api_keys.get().pk}/revoke/",
        "/accounts/password/change/",
        "/accounts/logout/",
        "/accounts/signup/",
        "/problems/out-of-credits/",
        "/nothing/",
    ):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], path


def test_pages_turn_dark_with_the_system(open_page, site):
    lightness = {
        scheme: _background_lightness(open_page(color_scheme=scheme))
        for scheme in ("light", "dark")
    }
    assert lightness["light"] > 230
    assert lightness["dark"] < 30


def _background_lightness(page: Page) -> float:
    page.goto("/accounts/login/")
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    parts = [int(part) for part in re.findall(r"\d+", color)[:3]]
    return sum(parts) / len(parts)
