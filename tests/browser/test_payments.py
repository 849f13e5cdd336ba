"""Every way a payment can go, as the customer sees it in a real browser."""

import pytest
from django.core import mail as outbox
from django.utils import timezone
from playwright.sync_api import Page, expect
from shopping import EMAIL, PASSWORD, PHONE, buy, pay, sign_in

from credits import tasks
from credits.models import Membership, Organization, User
from topups.models import BillingAccount, Plan, Price, Purchase
from topups.sandbox import bank, disputes, promotions, refunds, sessions
from topups.sandbox.models import Session


@pytest.fixture
def organization(site) -> Organization:
    organization = Organization.objects.create(name="Fern & Field")
    Membership.objects.create(
        organization=organization, user=User.objects.create_user(EMAIL, PASSWORD)
    )
    return organization


def heading(page: Page):
    return expect(page.get_by_role("heading", level=1))


def newest(page: Page):
    """The newest purchase on the list."""
    page.goto("/purchases/")
    return expect(page.locator("tbody tr").first)


def order_by_bank(page: Page, amount: str) -> str:
    """Order a bank debit, and return the id of the payment that waits for it."""
    buy(page, amount)
    page.get_by_text("Bank debit", exact=True).click()
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url("**/top-up/return/**")
    return Session.objects.latest("created_at").payment_id


def bought(organization: Organization) -> int:
    return sum(organization.grants.filter(kind="top_up").values_list("remaining", flat=True))


def test_a_bank_debit_waits_and_then_brings_the_credits(page, organization, screenshot):
    sign_in(page)
    payment = order_by_bank(page, "500")
    heading(page).to_have_text("We’re waiting for your bank")
    screenshot("waiting-for-the-bank")
    newest(page).to_contain_text("We’re waiting for your bank")
    assert bought(organization) == 0
    bank.accept(payment, now=timezone.now())
    newest(page).to_contain_text("Paid")
    assert bought(organization) == 500


def test_a_bank_that_declines_is_told_kindly_and_a_card_may_follow(page, organization, screenshot):
    sign_in(page)
    payment = order_by_bank(page, "500")
    bank.refuse(payment, now=timezone.now())
    page.reload()
    heading(page).to_have_text("Your bank declined the payment")
    screenshot("declined-by-the-bank")
    page.get_by_role("link", name="Back to the plans").click()
    buy(page, "500")
    pay(page)
    heading(page).to_have_text("500 credits added")
    assert bought(organization) == 500


def test_a_promotion_code_makes_it_cheaper_and_another_makes_it_free(
    page, organization, screenshot
):
    for code, percent_off in (("SPRING", 20), ("GIFT", 100)):
        promotions.create(code, percent_off=percent_off, now=timezone.now())
    sign_in(page)
    buy(page, "500")
    redeem(page, "spring")
    page.get_by_role("button", name="Pay $8.00").click()
    expect(page.locator("main")).to_contain_text("Your payment of $8.00 arrived")
    newest(page).to_contain_text("$10.00 less $2.00 discount")

    buy(page, "2,000")
    redeem(page, "gift")
    page.get_by_role("button", name="Complete order").click()
    heading(page).to_have_text("2,000 credits added")
    expect(page.locator("main")).to_contain_text("There was nothing to pay")
    screenshot("free-order")
    newest(page).to_contain_text("Free")
    assert bought(organization) == 2_500


def redeem(page: Page, code: str) -> None:
    page.get_by_label("Promotion code").fill(code)
    page.get_by_role("button", name="Apply").click()


def test_a_refund_shows_on_the_list_with_the_papers(page, organization):
    sign_in(page)
    buy(page, "500")
    pay(page)
    page.wait_for_url("**/top-up/return/**")
    refunds.create(Session.objects.get().payment_id, 4_00, now=timezone.now())
    newest(page).to_contain_text("Refunded $4.00 of $10.00")
    assert bought(organization) == 300
    page.get_by_role("link", name="Receipt").click()
    expect(page.locator("main")).to_contain_text("Refund")
    page.goto("/purchases/")
    page.get_by_role("link", name="Invoice").click()
    expect(page.locator("main")).to_contain_text("$10.00")


def test_an_abandoned_checkout_is_gone_on_with(page, organization, screenshot):
    sign_in(page)
    buy(page, "500")
    pay_page = page.url
    page.goto("/top-up/")
    expect(page.get_by_text("You left a checkout open")).to_be_visible()
    screenshot("top-up-with-an-open-checkout")
    page.get_by_role("link", name="Continue to payment").click()
    expect(page).to_have_url(pay_page)
    newest(page).to_contain_text("Waiting for your payment")
    page.get_by_role("link", name="Continue to payment").click()
    pay(page)
    heading(page).to_have_text("500 credits added")
    assert Purchase.objects.count() == 1


def test_a_double_click_buys_once(page, organization):
    sign_in(page)
    page.goto("/top-up/")
    page.get_by_role("button", name="Buy 500 credits").dblclick()
    page.wait_for_url("**/sandbox/**")
    pay(page)
    heading(page).to_have_text("500 credits added")
    assert Purchase.objects.count() == Session.objects.count() == 1
    assert bought(organization) == 500


def test_each_organization_pays_in_its_own_currency(page, organization, screenshot, settings):
    settings.STRIPE_AUTOMATIC_TAX = True
    second = Organization.objects.create(name="Zebra Lane")
    Membership.objects.create(organization=second, user=User.objects.get())
    BillingAccount.objects.create(organization=second, currency="eur")
    for plan, amount_minor in zip(Plan.objects.all(), (9_50, 34_00, 140_00), strict=True):
        Price.objects.create(plan=plan, currency="eur", amount_minor=amount_minor)
    sign_in(page)
    page.goto("/top-up/")
    expect(page.locator("main")).to_contain_text("$36.00")
    page.get_by_role("link", name="Zebra Lane").click()
    expect(page.locator("main")).not_to_contain_text("$")
    screenshot("top-up-in-euros")
    page.get_by_role("button", name="Buy 2,000 credits for €34.00 plus tax").click()
    pay(page)
    expect(page.locator("main")).to_contain_text("Your payment of €34.00 arrived")
    newest(page).to_contain_text("€34.00")
    assert (bought(second), bought(organization)) == (2_000, 0)


def every_state(page: Page, organization: Organization) -> None:
    """Purchases of all the states there are, each reached by the customer's own way."""
    now = timezone.now()
    promotions.create("HALF", percent_off=50, now=now)
    promotions.create("GIFT", percent_off=100, now=now)
    buy(page, "500")
    sessions.expire(Session.objects.latest("created_at").pk, now=now)
    bank.refuse(order_by_bank(page, "2,000"), now=now)
    order_by_bank(page, "10,000")
    buy(page, "500")
    redeem(page, "gift")
    page.get_by_role("button", name="Complete order").click()
    page.wait_for_url("**/top-up/return/**")
    for refunded, disputed in ((0, 0), (3_00, 0), (18_00, 0), (4_00, 14_00), (0, 18_00)):
        buy(page, "2,000")
        redeem(page, "half")
        pay(page)
        page.wait_for_url("**/top-up/return/**")
        payment = Session.objects.latest("created_at").payment_id
        if refunded:
            refunds.create(payment, refunded, now=now)
        if disputed:
            dispute = disputes.open_chargeback(payment, disputed, now=now)
            if not refunded:
                disputes.lose(dispute.pk, now=now)
    buy(page, "500")
    pay(page)
    page.wait_for_url("**/top-up/return/**")
    buy(page, "10,000")


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1200, "height": 800}])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_every_state_of_a_purchase_is_told_and_fits(
    open_page, organization, viewport, color_scheme
):
    page = open_page(viewport=viewport, color_scheme=color_scheme)
    sign_in(page)
    every_state(page, organization)
    page.goto("/purchases/")
    for state in (
        "Waiting for your payment",
        "We’re waiting for your bank",
        "Declined by your bank",
        "Not completed",
        "Paid",
        "Free",
        "Refunded $3.00 of $18.00",
        "Disputed $14.00 of $18.00",
        "Returned by your bank",
    ):
        expect(page.get_by_text(state, exact=True).first).to_be_visible()
    fits(page, viewport)
    name = f"{color_scheme}-{viewport['width']}"
    page.screenshot(path=f"var/screenshots/purchases-{name}.png", full_page=True)
    for purchase in Purchase.objects.all():
        page.goto(f"/top-up/return/?session_id={purchase.stripe_session_id}")
        fits(page, viewport)
    page.goto("/top-up/")
    fits(page, viewport)
    page.screenshot(path=f"var/screenshots/plans-{name}.png", full_page=True)


def fits(page: Page, viewport: dict[str, int]) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_emails_are_read_on_a_phone_by_day_and_night(
    open_page, organization, color_scheme, settings
):
    settings.STRIPE_AUTOMATIC_TAX = True
    page = open_page(viewport=PHONE, color_scheme=color_scheme)
    sign_in(page)
    promotions.create("HALF", percent_off=50, now=timezone.now())
    buy(page, "2,000")
    redeem(page, "half")
    page.get_by_label("Country").select_option("Germany")
    for _ in range(2):  # First the page says what tax makes of the total.
        page.get_by_role("button", name="Pay").click()
    page.wait_for_url("**/top-up/return/**")
    refunds.create(Session.objects.get().payment_id, 4_00, now=timezone.now())
    bank.refuse(order_by_bank(page, "500"), now=timezone.now())
    tasks.send_mail()
    assert len(outbox.outbox) == 3
    page.goto("about:blank")  # Away from our policy: mail programs have their own.
    for number, message in enumerate(outbox.outbox, 1):
        page.set_content(message.alternatives[0].content)
        fits(page, PHONE)
        page.screenshot(path=f"var/screenshots/email-{number}-{color_scheme}.png", full_page=True)
