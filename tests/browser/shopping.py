"""What the tests of customers' pages share: how a customer signs in, buys and pays."""

from playwright.sync_api import Page

PHONE = {"width": 360, "height": 740}
EMAIL, PASSWORD = "dana@example.com", "a-calm-harbor-7"
GOOD_CARD, DECLINED_CARD = "4242 4242 4242 4242", "4000 0000 0000 0002"


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def buy(page: Page, amount: str) -> None:
    page.goto("/top-up/")
    page.get_by_role("button", name=f"Buy {amount} credits").click()
    page.wait_for_url("**/sandbox/**")


def pay(page: Page, card_number: str = GOOD_CARD) -> None:
    page.get_by_label("Card number").fill(card_number)
    page.get_by_role("button", name="Pay").click()
