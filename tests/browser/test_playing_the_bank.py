"""The sandbox's own pages in a real browser: where members of staff play the bank."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from credits.models import User
from topups.sandbox import bank, customers, disputes, promotions, refunds, sessions
from topups.sandbox.models import Session
from topups.sandbox.params import CreateSession, check

PHONE = {"width": 360, "height": 740}
EMAIL, PASSWORD = "staff@credits.test", "a-calm-harbor-7"


def make_session(amount: int = 1000, **changes) -> Session:
    price = {
        "currency": "usd",
        "unit_amount": amount,
        "product_data": {"name": "2,000 credits"},
    }
    given = {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": "https://shop.test/",
        "cancel_url": "https://shop.test/",
        **changes,
    }
    return sessions.create(check(CreateSession, given), now=timezone.now())


def pay_for(session: Session) -> str:
    paid = sessions.pay(session.pk, "4242424242424242", now=timezone.now())
    return paid.payment_id


ALL_ASKED = {
    "allow_promotion_codes": "true",
    "automatic_tax": {"enabled": "true"},
    "tax_id_collection": {"enabled": "true"},
    "invoice_creation": {"enabled": "true"},
}


@pytest.fixture
def busy(site) -> None:
    """A day in the sandbox's life: something in every state."""
    now = timezone.now()
    promotions.create("SPRING", percent_off=20, now=now)
    promotions.create("FIVE", amount_off=500, currency="usd", minimum_amount=2000, now=now)
    customers.create({"name": "Schifffahrtsgesellschaft" * 4, "email": "a@example.com"}, now=now)
    customers.delete(customers.create({"name": "Gone"}, now=now).pk, now=now)
    make_session()
    sessions.expire(make_session().pk, now=now)
    refunds.create(pay_for(make_session(4900)), 900, now=now)
    disputes.lose(disputes.open_chargeback(pay_for(make_session(2500)), now=now).pk, now=now)
    disputes.open_inquiry(pay_for(make_session(7000)), 3000, now=now)
    for answer in (None, bank.accept, bank.refuse):
        ordered = sessions.pay_by_bank(make_session(3600).pk, now=now)
        if answer:
            answer(ordered.payment_id, now=now)
    refund = refunds.create(ordered_and_paid(), now=now)
    refunds.fail(refund.pk, now=now)


def ordered_and_paid() -> str:
    ordered = sessions.pay_by_bank(make_session(1200).pk, now=timezone.now())
    return bank.accept(ordered.payment_id, now=timezone.now()).pk


def sign_in(page: Page) -> None:
    User.objects.create_superuser(EMAIL, PASSWORD)
    page.goto("/sandbox/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1200, "height": 800}])
def test_the_control_page_fits_and_refunds(open_page, busy, viewport):
    page = open_page(viewport=viewport)
    sign_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sandbox control")
    sale = page.locator("article").filter(has_text="$49.00")
    sale.locator("summary").filter(has_text=re.compile("^Refund$")).click()
    sale.get_by_label("Amount").first.fill("1000")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.screenshot(path=f"var/screenshots/sandbox-control-{viewport['width']}.png", full_page=True)
    sale.get_by_role("button", name="Refund").click()
    expect(page.get_by_role("status")).to_have_text("The refund is made.")
    expect(sale).to_contain_text("Refund of $10.00")


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1200, "height": 800}])
def test_the_payment_page_shows_discount_and_tax_before_it_takes_them(open_page, busy, viewport):
    page = open_page(viewport=viewport)
    session = make_session(**ALL_ASKED)
    page.goto(f"/sandbox/pay/{session.pk}/")
    page.get_by_label("Promotion code").fill("spring")
    page.get_by_role("button", name="Apply").click()
    page.get_by_label("Country").select_option("Germany")
    page.get_by_role("button", name="Pay $8.00").click()
    expect(page.get_by_role("alert")).to_contain_text("The total is $9.52 now.")
    expect(page.locator(".order")).to_contain_text("Tax (Germany, 19 %)")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.screenshot(path=f"var/screenshots/sandbox-pay-{viewport['width']}.png", full_page=True)
    page.get_by_text("Bank debit", exact=True).click()
    expect(page.get_by_label("Card number")).to_be_hidden()
    page.get_by_text("Card", exact=True).click()
    page.route("https://shop.test/", lambda route: route.fulfill(body="back"))
    page.get_by_role("button", name="Pay $9.52").click()
    page.wait_for_url("https://shop.test/")
    session.refresh_from_db()
    for number, path in enumerate(
        (
            f"/sandbox/receipts/{session.payment.charge_id}/",
            f"/sandbox/invoices/{session.invoice.id}/",
        )
    ):
        page.goto(path)
        expect(page.locator("main")).to_contain_text("$9.52")
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        page.screenshot(path=f"var/screenshots/sandbox-document-{number}-{viewport['width']}.png")
