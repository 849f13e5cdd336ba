"""Two-factor sign-in in a real browser: set up, used, lost and given back."""

import re

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from codes import code, set_up
from conftest import photograph
from django.contrib.auth.models import Group
from django.core.cache import cache
from playwright.sync_api import Page, expect
from shopping import PHONE

from credits.models import SignIn, User

EMAIL, PASSWORD = "sam@example.com", "a-calm-harbor-7"
MODES = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": PHONE},
}
SERIOUS = ("serious", "critical")


@pytest.fixture
def sam(site, settings) -> User:
    settings.STAFF_TWO_FACTOR_REQUIRED = True
    user = User.objects.create_user(EMAIL, PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="administrators"))
    return user


def sign_in(page: Page) -> None:
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def enter(page: Page, given: str, button: str) -> None:
    page.get_by_label("Code").fill(given)
    page.get_by_role("button", name=button, exact=True).click()


def look(page: Page, name: str, mode: str) -> None:
    """Keep a picture; nothing scrolls sideways, and nobody is kept from using it."""
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run()")["violations"]
    assert [one["help"] for one in found if one["impact"] in SERIOUS] == []
    photograph(page, f"second-factor-{name}-{mode}")


@pytest.mark.parametrize("mode", MODES)
def test_staff_set_it_up_and_sign_in_with_it(open_page, sam, mode):
    page = open_page(**MODES[mode])
    page.goto("/admin/credits/organization/")
    look(page, "sign-in", mode)
    sign_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up a second factor")
    assert page.get_by_alt_text("QR code").evaluate("image => image.naturalWidth") > 0
    page.get_by_text("It cannot be scanned?").click()
    secret = page.locator(".secret code").text_content()
    look(page, "set-up", mode)

    enter(page, "000000", "Turn on")
    expect(page.get_by_text("Incorrect code")).to_be_visible()
    assert page.locator(".secret code").text_content() == secret
    enter(page, code(secret), "Turn on")
    expect(page.locator(".codes li")).to_have_count(10)
    look(page, "recovery-codes", mode)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "recovery-codes.txt"
    kept = download.value.path().read_text().split()
    assert kept == page.locator(".codes li").all_text_contents()
    page.get_by_role("link", name="I have kept them").click()
    expect(page).to_have_url(re.compile("/admin/credits/organization/$"))

    page.context.clear_cookies()
    page.goto("/admin/")
    sign_in(page)
    look(page, "asked", mode)
    # As if the step of time had passed in which the app showed the last one.
    cache.clear()
    enter(page, code(secret), "Sign in")
    expect(page).to_have_url(re.compile("/admin/$"))
    page.goto("/accounts/2fa/")
    look(page, "settings", mode)


def test_a_session_from_before_is_asked_and_goes_on(page, sam, settings):
    settings.STAFF_TWO_FACTOR_REQUIRED = False
    page.goto("/admin/credits/signin/")
    sign_in(page)
    expect(page).to_have_url(re.compile("/admin/credits/signin/$"))
    settings.STAFF_TWO_FACTOR_REQUIRED = True
    set_up(sam)
    page.goto("/admin/credits/signin/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Enter your code")
    enter(page, code(), "Go on")
    expect(page).to_have_url(re.compile("/admin/credits/signin/$"))


@pytest.mark.parametrize("mode", MODES)
def test_an_administrator_takes_a_lost_one_away_and_reads_the_log(open_page, sam, mode):
    page = open_page(**MODES[mode])
    set_up(sam)
    colleague = User.objects.create_user("lou@example.com", PASSWORD, is_staff=True)
    set_up(colleague)
    page.goto("/admin/")
    sign_in(page)
    enter(page, code(), "Sign in")
    expect(page).to_have_url(re.compile("/admin/$"))
    page.goto(f"/admin/credits/user/{colleague.pk}/reset_second_factor/")
    expect(page.get_by_text("be sure that it is they who ask")).to_be_visible()
    photograph(page, f"second-factor-remove-{mode}")
    page.get_by_role("button", name="Remove second factor").click()
    expect(page.get_by_text("Removed the second factor of lou@example.com")).to_be_visible()
    # Whoever leaves while scripts are on their way has them fail.
    page.wait_for_load_state()
    page.goto(f"/admin/credits/user/{sam.pk}/change/")
    expect(page.get_by_role("heading", name="Last sign-ins")).to_be_visible()
    photograph(page, f"sign-ins-of-a-user-{mode}")
    page.goto("/admin/credits/signin/")
    expect(page.get_by_role("row").filter(has_text="password, totp")).to_be_visible()
    photograph(page, f"sign-ins-{mode}")
    assert SignIn.objects.get().methods == "password, totp"
