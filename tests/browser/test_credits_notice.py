"""<credits-notice>: it says kindly that credits ran out, and goes away when they are back."""

import re
from contextlib import nullcontext
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect
from shop import ACTION
from shopping import EMAIL, PASSWORD, PHONE, pay, sign_in

from credits import ledger
from credits.models import Grant, Membership, User

REFUSED = f"credits.spend('{ACTION}', {{ quantity: 4 }}).catch(() => {{}})"
TIMEOUT_MS = 15_000
HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def visit(page: Page, shop, path: str = "/") -> Page:
    page.goto(shop.url + path)
    page.wait_for_function("window.credits")
    page.evaluate("""
        window.told = [];
        for (const type of ["outofcredits", "refilled"])
          credits.addEventListener(type, ({ detail }) => told.push([type, detail.quantity]));
    """)
    return page


@pytest.fixture
def page(page: Page, shop) -> Page:
    """The shop's page, its module loaded."""
    return visit(page, shop)


@pytest.fixture
def notice(page: Page):
    return page.locator("credits-notice")


def run_out(page) -> None:
    page.evaluate(REFUSED)
    expect(page.get_by_role("status")).to_contain_text("You've used all your")


def top_up(shop) -> None:
    ledger.grant(shop.organization, 50, kind=Grant.Kind.STAFF, now=timezone.now())


def come_back(page) -> None:
    page.evaluate("dispatchEvent(new Event('focus'))")


def expect_gone(notice) -> None:
    expect(notice.get_by_role("status")).to_have_text("", timeout=TIMEOUT_MS)
    expect(notice.get_by_role("button")).to_have_count(0)
    expect(notice.get_by_role("link")).to_have_count(0)
    assert notice.evaluate("(notice) => notice.offsetHeight") == 0


def test_nothing_shows_until_credits_run_out(page, notice):
    expect_gone(notice)


def test_the_notice_says_what_when_and_where_to(open_page, shop):
    page = visit(open_page(timezone_id="Asia/Kolkata", locale="de-DE"), shop)
    work = page.get_by_role("button", name="Describe the image")
    work.focus()
    run_out(page)
    status = page.get_by_role("status")
    expect(status).to_contain_text("Free credits come back Monday 05:30 your time.")
    title = page.locator("[part=refill]").get_attribute("title")
    assert re.fullmatch(r"Monday, \w+ \d+ at 00:00 UTC", title)
    link = page.get_by_role("link", name="Top up")
    expect(link).to_have_attribute("href", f"{shop.site}/top-up/")
    expect(work).to_be_focused()


def test_when_the_buyer_comes_back_the_notice_goes_away(page, notice, shop):
    run_out(page)
    come_back(page)
    expect(page.get_by_role("link", name="Top up")).to_be_visible()
    top_up(shop)
    come_back(page)
    expect(notice.get_by_role("status")).to_have_text("Your credits are back.")
    expect(notice.get_by_role("link")).to_have_count(0)
    expect_gone(notice)
    assert page.evaluate("told") == [["outofcredits", 4], ["refilled", 4]]


def test_the_whole_way_to_the_top_up_page_and_back(page, notice, shop):
    owner = User.objects.create_user(EMAIL, PASSWORD)
    Membership.objects.create(
        organization=shop.organization, user=owner, role=Membership.Role.OWNER
    )
    run_out(page)
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Top up").click()
    expect(page.locator("[part=address]")).to_be_hidden()
    till = popup.value
    till.wait_for_url("**/accounts/login/**")
    sign_in(till)
    till.wait_for_url(f"{shop.site}/")
    till.goto(f"{shop.site}/top-up/")
    till.get_by_role("button", name="Buy 500 credits").click()
    pay(till)
    expect(till.get_by_role("heading", level=1)).to_have_text("500 credits added")
    till.close()
    come_back(page)
    expect(notice.get_by_role("status")).to_have_text("Your credits are back.")
    assert page.evaluate(f"credits.spend('{ACTION}').then((made) => made.credits)") == 1


def test_a_page_that_stays_open_looks_by_itself(page, notice, shop):
    page.clock.install()
    run_out(page)
    top_up(shop)
    page.clock.run_for(14_000)
    expect(page.get_by_role("link", name="Top up")).to_be_visible()
    page.clock.run_for(2_000)
    expect(notice.get_by_role("status")).to_have_text("Your credits are back.")


def test_a_page_that_nobody_sees_does_not_look(page, notice, shop):
    checks = []
    page.on("request", lambda request: checks.append(request.url) if "check" in request.url else 0)
    page.clock.install()
    run_out(page)
    top_up(shop)
    page.evaluate(HIDE, True)
    page.clock.run_for(600_000)
    assert checks == []
    page.evaluate(HIDE, False)
    expect(notice.get_by_role("status")).to_have_text("Your credits are back.")
    assert len(checks) == 1


def test_checks_that_fail_are_borne_and_grow_rare(page, notice):
    page.clock.install()
    run_out(page)
    checks = []

    def fail(route):
        checks.append(route.request.url)
        route.fulfill(status=404, headers={"Access-Control-Allow-Origin": "*"}, body="{}")

    page.route("**/api/v1/check?*", fail)
    for _ in range(120):
        page.clock.run_for(10_000)
    expect(notice.get_by_role("status")).to_contain_text("You've used all your")
    assert 5 <= len(checks) <= 15


def test_it_looks_when_free_credits_come(page):
    page.clock.install()
    page.evaluate("""
        credits.addEventListener("outofcredits", ({ detail }) => { window.refusal = detail; });
        const real = window.fetch;
        window.fetch = (url, options) => {
          if (String(url).includes("check")) window.checks += 1;
          return real(url, options);
        };
    """)
    run_out(page)
    refill_at = page.evaluate("refusal.error.nextRefill.at")
    page.clock.pause_at(refill_at - timedelta(seconds=5))
    page.evaluate(REFUSED)
    page.evaluate("window.checks = 0")
    page.clock.run_for(4_000)
    assert page.evaluate("window.checks") == 0
    # Not so long that the next of its regular looks comes.
    page.clock.run_for(10_000)
    page.wait_for_function("window.checks")


def test_the_next_spend_that_works_ends_it_too(page, notice, shop):
    run_out(page)
    top_up(shop)
    page.evaluate(f"credits.spend('{ACTION}', {{ quantity: 4 }})")
    expect(notice.get_by_role("status")).to_have_text("Your credits are back.")


def test_it_is_used_by_keyboard_alone(page, notice, shop):
    work = page.get_by_role("button", name="Describe the image")
    work.focus()
    run_out(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Top up")).to_be_focused()
    with page.expect_popup():
        page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Dismiss")).to_be_focused()
    page.keyboard.press("Enter")
    expect_gone(notice)
    expect(work).to_be_focused()
    run_out(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Top up")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect_gone(notice)
    expect(work).to_be_focused()


def test_the_page_of_the_guide_works(page, notice, shop, screenshot):
    page.goto(f"{shop.url}/guide")
    for spent in (1, 2, 3):
        page.get_by_role("button", name="Describe").click()
        expect(page.get_by_role("textbox")).not_to_have_value("")
        page.get_by_role("textbox").fill("")
        assert shop.organization.spends.count() == spent
    page.get_by_role("button", name="Describe").click()
    expect(page.get_by_role("link", name="Top up")).to_be_visible()
    page.get_by_role("textbox").fill("A fern in a field, by hand")
    screenshot("notice-in-the-guide")


def test_a_dismissed_notice_comes_again_with_the_next_refusal(page, notice):
    run_out(page)
    page.get_by_role("button", name="Dismiss").click()
    expect_gone(notice)
    run_out(page)


def test_the_rest_of_the_page_goes_on(page):
    run_out(page)
    page.get_by_role("button", name="Write it by hand").click()
    page.evaluate("document.documentElement.lang = 'no_such language'")
    run_out(page)
    page.evaluate("document.querySelector('credits-notice').remove()")
    page.evaluate(REFUSED)


def test_a_notice_can_listen_to_one_of_several(page, notice):
    page.evaluate("""
        window.other = new Credits({ token: askForToken });
        document.querySelector("credits-notice").credits = other;
    """)
    page.evaluate(REFUSED)
    expect_gone(notice)
    page.evaluate(REFUSED.replace("credits.", "other."))
    expect(notice.get_by_role("status")).to_contain_text("You've used all your")


def test_a_page_says_it_in_its_own_words_and_colors(page, notice, screenshot):
    page.evaluate("""
        document.documentElement.lang = "de";
        const words = { message: "Das Guthaben ist verbraucht.", refill: "Neues gibt es {time}.",
                        link: "Aufladen", dismiss: "Schließen", refilled: "Es geht weiter." };
        const notice = document.querySelector("credits-notice");
        for (const [name, text] of Object.entries(words)) notice.setAttribute(`text-${name}`, text);
        notice.style.setProperty("--credits-notice-background", "rgb(20, 60, 40)");
        notice.style.setProperty("--credits-notice-color", "rgb(240, 255, 240)");
        notice.style.setProperty("--credits-notice-accent", "rgb(160, 240, 190)");
        notice.style.setProperty("--credits-notice-radius", "0px");
    """)
    page.evaluate(REFUSED)
    expect(notice.get_by_role("status")).to_contain_text("Das Guthaben ist verbraucht.")
    expect(notice.get_by_role("status")).to_contain_text("Neues gibt es Montag")
    expect(notice.get_by_role("link", name="Aufladen")).to_be_visible()
    expect(notice.get_by_role("button", name="Schließen")).to_be_visible()
    expect(notice.locator("[part=notice]")).to_have_css("background-color", "rgb(20, 60, 40)")
    screenshot("notice-themed")


@pytest.mark.parametrize("sandbox", ["allow-scripts", "allow-scripts+allow-popups"])
def test_a_sandboxed_frame_shows_the_address_to_copy(page, shop, screenshot, sandbox):
    page.context.grant_permissions(["clipboard-read"])
    page.goto(f"{shop.url}/frame/{sandbox}")
    frame = page.frames[1]
    frame.wait_for_function("window.credits")
    frame.evaluate(REFUSED)
    opens = page.expect_popup() if "popups" in sandbox else nullcontext()
    with opens:
        frame.get_by_role("link", name="Top up").click()
    # The opened page was as powerless, and so one comes back.
    page.bring_to_front()
    expect(frame.get_by_role("status")).to_contain_text("If no page opened, use this address:")
    address = frame.get_by_role("textbox", name="If no page opened")
    expect(address).to_have_value(f"{shop.site}/top-up/")
    frame.get_by_role("button", name="Copy").click()
    expect(frame.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == f"{shop.site}/top-up/"
    assert len(page.context.pages) == (2 if "popups" in sandbox else 1)
    screenshot(f"notice-in-{sandbox}")


def test_it_works_under_a_strict_policy(page, shop, screenshot):
    page.goto(f"{shop.url}/strict")
    violations = []
    page.on("console", lambda message: violations.append(message.text))
    token = shop.token()["token"]
    page.evaluate(
        """async ([module, token, action]) => {
          const { Credits } = await import(module);
          await new Credits({ token }).spend(action, { quantity: 4 }).catch(() => {});
        }""",
        [shop.site + "/static/credits-js/1.0.0/credits.js", token, ACTION],
    )
    expect(page.get_by_role("status")).to_contain_text("You've used all your")
    expect(page.locator("[part=notice]")).to_have_css("border-radius", "12px")
    screenshot("notice-strict")
    assert [line for line in violations if "Content Security Policy" in line] == []


LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}


def test_it_looks_calm_and_axe_finds_nothing(open_page, shop):
    for name, options in LOOKS.items():
        page = visit(open_page(**options), shop)
        run_out(page)
        page.evaluate("window.open = () => null")
        page.get_by_role("link", name="Top up").focus()
        page.screenshot(path=f"var/screenshots/notice-{name}.png", full_page=True)
        assert Axe().run(page).violations_count == 0
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Copy")).to_be_visible()
        assert Axe().run(page).generate_snapshot() == ""
        page.screenshot(path=f"var/screenshots/notice-{name}-address.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.get_by_role("status").bounding_box()["width"] > 200
    top_up(shop)
    come_back(page)
    expect(page.get_by_role("status")).to_have_text("Your credits are back.")
    assert Axe().run(page).violations_count == 0
