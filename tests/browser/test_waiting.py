"""The page after the payment tells what becomes of it, by itself."""

import re
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, expect
from shopping import EMAIL, PASSWORD, buy, sign_in

from credits.models import Membership, Organization, User
from topups import views
from topups.models import Purchase
from topups.sandbox import bank, deliveries, sessions
from topups.sandbox.models import Session

HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def customer(site, page) -> Organization:
    """An organization whose member is signed in, at a clock that the test moves."""
    organization = Organization.objects.create(name="Fern & Field")
    user = User.objects.create_user(EMAIL, PASSWORD)
    Membership.objects.create(organization=organization, user=user)
    sign_in(page)
    return organization


class Questions:
    """What the page asks about its purchase, and how many answers it got."""

    def __init__(self, page: Page) -> None:
        self.asked = self.answered = 0
        page.on("request", self._ask)
        page.on("requestfinished", self._answer)
        page.on("requestfailed", self._answer)

    def _ask(self, request: Request) -> None:
        self.asked += _is_question(request)

    def _answer(self, request: Request) -> None:
        self.answered += _is_question(request)


def _is_question(request: Request) -> bool:
    return urlsplit(request.url).path.endswith("/state/")


@pytest.fixture
def questions(page) -> Questions:
    return Questions(page)


def order_by_bank(page: Page) -> str:
    buy(page, "500")
    page.get_by_text("Bank debit", exact=True).click()
    page.clock.install()
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url("**/top-up/return/**")
    return Session.objects.get().payment_id


def heading(page: Page):
    return expect(page.get_by_role("heading", level=1))


def pass_time(page: Page, questions: Questions, seconds: int) -> None:
    """Let time pass on the page, and the questions it asks meanwhile be answered."""
    for _ in range(seconds):
        page.clock.run_for(1_000)
        page.wait_for_timeout(20)
        while questions.asked > questions.answered:
            page.wait_for_timeout(10)


def test_credits_from_a_bank_debit_show_by_themselves(page, customer, questions, screenshot):
    payment = order_by_bank(page)
    heading(page).to_have_text("We’re waiting for your bank")
    expect(page).to_have_title(re.compile("^We’re waiting for your bank · "))
    pass_time(page, questions, 10)
    heading(page).to_have_text("We’re waiting for your bank")
    expect(page.get_by_role("status")).to_have_text("")

    bank.accept(payment, now=timezone.now())
    pass_time(page, questions, 10)
    heading(page).to_have_text("500 credits added")
    expect(page).to_have_title(re.compile("^Paid · "))
    expect(page.get_by_role("status")).to_have_text("500 credits added")
    screenshot("credits-added-by-themselves")
    asked = questions.asked
    pass_time(page, questions, 10)
    assert questions.asked == asked, "It goes on asking what is decided."


def test_a_bank_that_declines_is_told_without_reloading(page, customer, questions):
    payment = order_by_bank(page)
    bank.refuse(payment, now=timezone.now())
    page.get_by_role("link", name="See your purchases").focus()
    pass_time(page, questions, 5)
    heading(page).to_have_text("Your bank declined the payment")
    expect(page.locator("#purchase")).to_be_focused()
    expect(page.get_by_role("link", name="Back to the plans")).to_be_visible()


def test_a_payment_that_no_webhook_tells_of_is_asked_about(page, customer, questions, monkeypatch):
    monkeypatch.setattr(views, "CHECK_EVERY_SECONDS", 1)
    deliveries.hold()
    page.clock.install()
    buy(page, "500")
    session = Session.objects.get()
    page.goto(f"/top-up/return/?session_id={session.pk}")
    heading(page).to_have_text("Your payment is not confirmed yet")
    sessions.pay(session.pk, "4242424242424242", now=timezone.now())
    assert not Purchase.objects.get().is_paid
    pass_time(page, questions, 5)
    heading(page).to_have_text("500 credits added")
    assert Purchase.objects.get().is_paid


def test_a_page_that_nobody_sees_does_not_ask(page, customer, questions):
    payment = order_by_bank(page)
    page.evaluate(HIDE, True)
    pass_time(page, questions, 20)
    assert questions.asked == 0
    bank.accept(payment, now=timezone.now())
    page.evaluate(HIDE, False)
    pass_time(page, questions, 3)
    heading(page).to_have_text("500 credits added")


def test_it_asks_less_and_less_often(page, customer, questions):
    order_by_bank(page)
    pass_time(page, questions, 60)
    assert 5 <= questions.asked <= 8


def test_an_answer_that_does_not_come_is_asked_for_again(page, customer, questions):
    payment = order_by_bank(page)
    page.route("**/state/", lambda route: route.abort())
    pass_time(page, questions, 3)
    page.unroute("**/state/")
    bank.accept(payment, now=timezone.now())
    pass_time(page, questions, 5)
    heading(page).to_have_text("500 credits added")


def test_somebody_who_was_signed_out_is_not_asked_for_again_and_again(page, customer, questions):
    order_by_bank(page)
    page.context.clear_cookies()
    pass_time(page, questions, 10)
    assert questions.asked == 1
    heading(page).to_have_text("We’re waiting for your bank")
