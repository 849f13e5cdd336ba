"""Refunds by staff: who may, what the pages say, and that the money goes back once."""

import re
import urllib.request
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from sold import dispute, give_back, sell, standing
from world import World, deliver

from credits import ledger
from credits.models import Organization
from tests.concurrency.threads import at_once
from topups import refunds
from topups.models import PaymentRefund, Purchase
from topups.sandbox.models import Refund

REASON = "Bought twice"
SENDERS = 6


def refund_url(purchase: Purchase) -> str:
    return f"/admin/topups/purchase/{purchase.pk}/refund/"


def page_of(purchase: Purchase) -> str:
    return f"/admin/topups/purchase/{purchase.pk}/change/"


def asked(amount: str = "4.00", **changes: str) -> dict[str, str]:
    return {"amount": amount, "reason": REASON, "request_id": str(uuid4()), **changes}


def confirmed(amount: str = "4.00", **changes: str) -> dict[str, str]:
    return {**asked(amount, **changes), "confirmed": "yes"}


def consequences(response) -> list[str]:
    return list(response.context["consequences"])


@pytest.fixture
def purchase(db) -> Purchase:
    return sell(used=350)


@pytest.fixture
def unreachable(settings) -> None:
    """Stripe is down."""
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"


@pytest.fixture
def paid(site) -> World:
    """A purchase that is paid at the sandbox and here."""
    world = World()
    world.pay()
    deliver(world.events())
    return world


# --- The form and what will happen ------------------------------------------------------------


def test_the_form_offers_all_that_is_left(admin, purchase):
    give_back(purchase, 2_50)
    page = admin.get(refund_url(purchase))
    assert page.context["form"]["amount"].value() == "7.50"
    assert "In USD, at most $7.50." in page.text


def test_the_confirmation_says_exactly_what_will_happen_and_nothing_happens_yet(admin, purchase):
    page = admin.post(refund_url(purchase), asked())
    assert consequences(page) == [
        "$4.00 of $10.00 goes back to the buyer, the way it was paid. This cannot be undone.",
        "200 of 500 credits are taken back: 150 now; 50 are gone already and stay as a shortfall "
        "on this purchase.",
        "buyer@example.com gets an email about it.",
    ]
    assert REASON in page.text
    assert standing(purchase) == {"left": 150, "taken": 0, "frozen": 0, "short": 0}
    assert not PaymentRefund.objects.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("used", "amount", "told"),
    [
        (0, "4.00", "200 of 500 credits are taken back, all of them unused."),
        (0, "0.01", "No credits are taken back: this amount bought less than one."),
        (
            500,
            "10",
            "500 of 500 credits are taken back: 0 now; 500 are gone already",
        ),
    ],
)
def test_the_confirmation_foresees_the_credits(admin, used, amount, told):
    page = admin.post(refund_url(sell(used=used)), asked(amount))
    assert told in consequences(page)[1]


@pytest.mark.parametrize(
    ("currency", "paid_minor", "amount", "amount_minor"),
    [("usd", 10_00, "4", 4_00), ("jpy", 1_000, "400", 400), ("kwd", 10_000, "4.005", 4_005)],
)
def test_amounts_are_read_with_the_decimals_of_their_currency(
    admin, unreachable, currency, paid_minor, amount, amount_minor
):
    purchase = sell(currency=currency, paid_minor=paid_minor)
    admin.post(refund_url(purchase), confirmed(amount))
    assert PaymentRefund.objects.get().amount_minor == amount_minor


@pytest.mark.parametrize(
    ("currency", "amount", "told"),
    [
        ("usd", "", "This field is required"),
        ("usd", "0", "0 does nothing"),
        ("usd", "0.00", "0 does nothing"),
        ("usd", "-1", "Write an amount in USD like 10 or 10.00."),
        ("usd", "4.5", "Write an amount in USD like 10 or 10.00."),
        ("usd", "4,00", "Write an amount in USD like 10 or 10.00."),
        ("usd", "$4.00", "Write an amount in USD like 10 or 10.00."),
        ("usd", "1e2", "Write an amount in USD like 10 or 10.00."),
        ("usd", "٤", "Write an amount in USD like 10 or 10.00."),
        ("usd", "9" * 20, "Write an amount in USD like 10 or 10.00."),
        ("usd", "9" * 21, "at most 20 characters"),
        ("usd", "10.01", "At most $10.00 can be given back."),
        ("usd", "999999999999.99", "At most $10.00 can be given back."),
        ("jpy", "4.00", "Write an amount in JPY like 1000, without decimals."),
        ("kwd", "4.00", "Write an amount in KWD like 10 or 10.000."),
    ],
)
@pytest.mark.parametrize("step", [asked, confirmed])
def test_a_wrong_amount_is_explained_and_changes_nothing(admin, step, currency, amount, told):
    purchase = sell(currency=currency)
    response = admin.post(refund_url(purchase), step(amount))
    assert response.status_code == 200
    assert told in response.text
    assert not PaymentRefund.objects.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": "  "}, "This field is required"),
        ({"reason": "x" * 301}, "at most 300 characters"),
        ({"reason": "a\0b"}, "Null characters are not allowed"),
        ({"request_id": "one"}, "lost its one-time id"),
        ({"request_id": ""}, "lost its one-time id"),
    ],
)
@pytest.mark.parametrize("step", [asked, confirmed])
def test_a_wrong_form_is_explained_and_changes_nothing(admin, purchase, step, changes, told):
    assert told in admin.post(refund_url(purchase), step(**changes)).text
    assert not PaymentRefund.objects.exists()


def free() -> Purchase:
    return sell(paid_minor=0)


def unpaid() -> Purchase:
    sold = sell()
    values = {"created_at": timezone.now(), "next_check_at": timezone.now(), "currency": "usd"}
    return Purchase.objects.create(
        organization=sold.organization,
        buyer=sold.buyer,
        plan=sold.plan,
        credits=5,
        amount_minor=50,
        id=uuid4(),
        **values,
    )


def refunded() -> Purchase:
    purchase = sell()
    give_back(purchase, 4_00)
    dispute(purchase, 6_00)
    return purchase


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (free, "This purchase was free, so there is nothing to give back."),
        (unpaid, "This purchase is not paid, so there is nothing to give back."),
        (refunded, "All that was paid has gone back already, or is requested or disputed."),
    ],
)
def test_what_cannot_be_refunded_says_why(admin, make, told):
    purchase = make()
    before = PaymentRefund.objects.count()
    page = admin.get(page_of(purchase))
    assert told in page.text
    assert refund_url(purchase) not in page.text
    assert told in admin.get(refund_url(purchase), follow=True).text
    for step in (asked, confirmed):
        assert told in admin.post(refund_url(purchase), step("0.01")).text
    assert PaymentRefund.objects.count() == before


# --- Who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "may"), [("support", False), ("finance", True), ("administrators", True)]
)
def test_only_who_has_the_permission_sees_the_button_and_refunds(
    sign_in, purchase, unreachable, role, may
):
    client = sign_in(role)
    assert (refund_url(purchase) in client.get(page_of(purchase)).text) is may
    assert client.get(refund_url(purchase)).status_code == (200 if may else 403)
    assert client.post(refund_url(purchase), asked()).status_code == (200 if may else 403)
    assert client.post(refund_url(purchase), confirmed()).status_code == (302 if may else 403)
    assert PaymentRefund.objects.exists() is may


def test_nobody_refunds_without_signing_in(purchase):
    response = Client().post(refund_url(purchase), confirmed())
    assert response.url.startswith(reverse("admin:login"))
    assert not PaymentRefund.objects.exists()


# --- The refund -------------------------------------------------------------------------------


def test_a_confirmed_refund_gives_the_money_back_and_takes_its_credits(paid, sign_in):
    finance, purchase = sign_in("finance"), paid.purchase
    response = finance.post(refund_url(purchase), confirmed(), follow=True)
    assert response.redirect_chain == [(page_of(purchase), 302)]
    assert "$4.00 is on its way back to the buyer." in response.text
    refund, at_stripe = PaymentRefund.objects.get(), Refund.objects.get()
    assert (refund.status, refund.amount_minor, refund.reason) == ("succeeded", 4_00, REASON)
    assert (refund.requested_by, refund.stripe_refund_id) == (finance.user, at_stripe.pk)
    assert at_stripe.amount == 4_00
    assert standing(purchase) == {"left": 300, "taken": 200, "frozen": 0, "short": 0}
    log = LogEntry.objects.get()
    assert (log.user, log.object_id) == (finance.user, str(purchase.pk))
    assert log.get_change_message() == f"Refund of $4.00: {REASON}"
    assert log.get_change_message() in finance.get(page_of(purchase)).text


def test_a_form_sent_twice_refunds_once(paid, admin):
    form = confirmed()
    admin.post(refund_url(paid.purchase), form)
    again = admin.post(refund_url(paid.purchase), form, follow=True)
    assert "nothing changed: the refund of $4.00 is succeeded" in again.text
    assert Refund.objects.get().amount == 4_00
    assert LogEntry.objects.count() == 1


def test_a_form_sent_again_with_other_values_is_not_said_to_be_done(admin, purchase, unreachable):
    form = confirmed()
    admin.post(refund_url(purchase), form)
    other = sell(Organization.objects.create(name="Zenith"))
    for url, changes in (
        (refund_url(purchase), {"amount": "3.00"}),
        (refund_url(purchase), {"reason": "Another"}),
        (refund_url(other), {}),
    ):
        again = admin.post(url, {**form, **changes})
        assert "This form was used before, for another refund" in again.text
    assert PaymentRefund.objects.count() == 1


def test_a_confirmation_sent_many_times_at_once_refunds_once(paid, site, admin):
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in admin.cookies.items())
    page = urllib.request.Request(site + refund_url(paid.purchase), headers={"Cookie": cookies})
    with urllib.request.urlopen(page) as answer:
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', answer.read().decode())[1]
        csrf_cookie = answer.headers["Set-Cookie"].partition(";")[0]
    form = urlencode({**confirmed(), "csrfmiddlewaretoken": token}).encode()
    headers = {"Cookie": f"{cookies}; {csrf_cookie}", "Origin": site}

    def send(_: int) -> str:
        request = urllib.request.Request(site + refund_url(paid.purchase), form, headers)
        with urllib.request.urlopen(request) as answer:
            return answer.url

    assert at_once(send, range(SENDERS)) == [site + page_of(paid.purchase)] * SENDERS
    assert PaymentRefund.objects.get().status == "succeeded"
    assert Refund.objects.get().amount == 4_00
    assert LogEntry.objects.count() == 1
    assert standing(paid.purchase) == {"left": 300, "taken": 200, "frozen": 0, "short": 0}


def test_what_changed_after_the_confirmation_was_shown_is_safe(admin, purchase, unreachable):
    page = admin.post(refund_url(purchase), asked())
    assert "150 now; 50" in consequences(page)[1]
    ledger.spend(purchase.organization, "alt-text.generate", quantity=100, now=timezone.now())
    admin.post(refund_url(purchase), confirmed())
    assert standing(purchase) == {"left": 0, "taken": 0, "frozen": 50, "short": 0}
    give_back(purchase, 5_00)
    refused = admin.post(refund_url(purchase), confirmed())
    assert "At most $1.00 can be given back." in refused.text
    assert PaymentRefund.objects.filter(requested_by=admin.user).count() == 1


# --- Stripe does not do it --------------------------------------------------------------------


def test_while_stripe_is_down_the_refund_waits_and_staff_can_try_again(paid, admin, settings, site):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    response = admin.post(refund_url(paid.purchase), confirmed(), follow=True)
    assert "it will be tried again by itself" in response.text
    refund = PaymentRefund.objects.get()
    assert refund.status == "requested"
    assert standing(paid.purchase) == {"left": 300, "taken": 0, "frozen": 200, "short": 0}

    send_url = f"/admin/topups/paymentrefund/{refund.pk}/send_now/"
    assert send_url in admin.get(f"/admin/topups/paymentrefund/{refund.pk}/change/").text
    assert "it gives the money back once" in admin.get(send_url).text
    assert "it will be tried again by itself" in admin.post(send_url, follow=True).text
    settings.STRIPE_API_BASE = f"{site}/sandbox"
    assert "$4.00 is on its way back" in admin.post(send_url, follow=True).text
    assert "nothing changed" in admin.post(send_url, follow=True).text
    assert Refund.objects.get().amount == 4_00
    assert send_url not in admin.get(f"/admin/topups/paymentrefund/{refund.pk}/change/").text


def test_only_who_may_refund_tries_again(purchase, sign_in):
    refund = refunds.request(
        purchase,
        4_00,
        reason=REASON,
        actor=purchase.buyer,
        request_id=uuid4(),
        now=timezone.now(),
    )
    url = f"/admin/topups/paymentrefund/{refund.pk}/send_now/"
    support, finance = sign_in("support"), sign_in("finance")
    assert support.post(url).status_code == 403
    assert url not in support.get(f"/admin/topups/paymentrefund/{refund.pk}/change/").text
    assert finance.get(url).status_code == 200


def test_what_stripe_refuses_is_told_with_its_reason_and_keeps_the_credits(paid, admin):
    paid.refund()  # In the dashboard, of which we have not heard yet.
    response = admin.post(refund_url(paid.purchase), confirmed(), follow=True)
    assert "Stripe did not give back $4.00, and its credits stay." in response.text
    assert "has already been refunded" in response.text
    assert standing(paid.purchase) == {"left": 500, "taken": 0, "frozen": 0, "short": 0}
    assert "has already been refunded" in admin.get(page_of(paid.purchase)).text
