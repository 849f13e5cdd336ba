"""The sandbox's pages over HTTP: paying, receipts and invoices, and the control page."""

import re

import pytest
from django.test import Client
from django.utils import timezone
from sandbox_shop import told

from topups.models import StripeEvent
from topups.sandbox import bank, customers, deliveries, disputes, promotions, refunds, tasks
from topups.sandbox.models import (
    Customer,
    Delivery,
    Dispute,
    Event,
    Payment,
    PromotionCode,
    Refund,
    Session,
)

CARD = {"card_number": "4242424242424242"}
ON = {"enabled": True}


def text(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode()))


@pytest.fixture
def pay(client):
    """Sends what a customer typed on a session's page."""

    def pay(session, follow=False, **typed):
        return client.post(f"/sandbox/pay/{session.id}/", typed, follow=follow)

    return pay


@pytest.fixture
def look(client):
    return lambda session: text(client.get(f"/sandbox/pay/{session.id}/"))


def test_a_card_number_alone_pays_whatever_is_asked(shop, pay):
    session = shop.session(
        billing_address_collection="required", automatic_tax=ON, tax_id_collection=ON
    )
    assert pay(session, **CARD).headers["Location"] == f"https://shop.test/{session.id}"
    paid = Session.objects.get()
    assert (paid.payment_status, paid.amount_total) == ("paid", 1000)
    assert (paid.billing_name, paid.country) == ("Jenny Rosen", "US")


def test_the_page_asks_only_what_the_session_needs(shop, look, client):
    assert "Postal code" not in look(shop.session())
    assert "Promotion code" not in look(shop.session())
    assert "Tax ID" not in look(shop.session())
    full = shop.session(
        billing_address_collection="required", tax_id_collection=ON, allow_promotion_codes=True
    )
    for asked in ("Email", "Name", "Country", "Postal code", "Tax ID (optional)", "Promotion code"):
        assert asked in look(full)
    assert "Bank debit" not in look(shop.session(allowed_payment_method_types=["card"]))
    customer = shop.v1.customers.create({"email": "known@example.com"}).id
    known = look(shop.session(customer=customer))
    assert "known@example.com" in known
    assert "Email" not in known


def test_a_known_email_cannot_be_changed_on_the_page(shop, pay):
    customer = shop.v1.customers.create({"email": "known@example.com"}).id
    pay(shop.session(customer=customer), email="other@example.com", **CARD)
    pay(shop.session(customer_email="known@example.com"), email="other@example.com", **CARD)
    assert set(Session.objects.values_list("billing_email", flat=True)) == {"known@example.com"}


@pytest.mark.parametrize(
    "typed",
    [{"email": "nobody"}, {"name": ""}, {"country": "XX"}, {"postal_code": "1" * 21},
     {"method": "klarna"}, {"name": "\0"}, {"total": "much"}],
)  # fmt: skip
def test_what_cannot_be_is_told_on_the_page_and_pays_nothing(shop, pay, typed):
    session = shop.session(billing_address_collection="required")
    page = pay(session, **typed, **CARD)
    assert page.status_code == 400
    assert "Pay by card or bank debit" in text(page)
    assert Session.objects.get().status == "open"


def test_tax_is_shown_before_it_is_paid(shop, pay, look):
    session = shop.session(automatic_tax=ON)
    assert "Tax by country" in look(session)
    page = pay(session, follow=True, country="DE", total="1000", **CARD)
    assert "The total is $11.90 now." in text(page)
    assert "Tax (Germany, 19 %) $1.90" in look(session)
    assert Session.objects.get().status == "open"
    pay(session, total="1190", **CARD)
    assert Session.objects.get().payment.amount == 1190


def test_the_total_can_be_updated_without_paying(shop, pay, look):
    session = shop.session(automatic_tax=ON)
    pay(session, country="FR", action="update", **CARD)
    assert "$12.00" in look(session)
    assert Session.objects.get().status == "open"


def test_a_code_is_redeemed_and_removed_on_the_page(shop, pay, look):
    promotions.create("SPRING", percent_off=20, now=timezone.now())
    session = shop.session(allow_promotion_codes=True)
    assert "This code is invalid." in text(pay(session, follow=True, action="redeem", code="x"))
    pay(session, action="redeem", code="spring")
    assert "Discount (SPRING) \N{MINUS SIGN}$2.00" in look(session)
    pay(session, action="remove")
    assert "Discount" not in look(session)


def test_a_free_order_is_completed_without_a_card(shop, pay, look):
    promotions.create("GIFT", percent_off=100, now=timezone.now())
    session = shop.session(allow_promotion_codes=True)
    pay(session, action="redeem", code="GIFT")
    assert "Complete order" in look(session)
    assert "Card number" not in look(session)
    assert pay(session).headers["Location"] == f"https://shop.test/{session.id}"
    assert Session.objects.get().payment_status == "no_payment_required"
    assert "This order is complete" in look(session)


def test_a_bank_debit_waits_for_the_bank(shop, pay, look):
    session = shop.session()
    assert pay(session, method="sepa_debit").headers["Location"].startswith("https://shop.test/")
    assert Payment.objects.get().status == "processing"
    assert "The bank is asked" in look(session)
    bank.refuse(Payment.objects.get().pk, now=timezone.now())
    assert "The bank did not pay" in look(session)


def test_a_complete_session_is_not_paid_again_from_its_page(shop, pay):
    session = shop.session()
    pay(session, **CARD)
    assert "This is paid" in text(pay(session, **CARD))
    assert Payment.objects.count() == 1


def test_receipt_and_invoice_say_what_was_paid_and_went_back(shop, pay, client):
    promotions.create("SPRING", percent_off=20, now=timezone.now())
    session = shop.session(
        allow_promotion_codes=True, automatic_tax=ON, tax_id_collection=ON,
        invoice_creation={"enabled": True, "invoice_data": {"description": "For Fern"}},
    )  # fmt: skip
    pay(session, action="redeem", code="SPRING")
    pay(session, country="DE", name="Uwe", tax_id="DE123456789", **CARD)
    paid = Session.objects.get()
    refunds.create(paid.payment_id, 152, now=timezone.now())
    failed = refunds.create(paid.payment_id, 777, now=timezone.now())
    refunds.fail(failed.pk, now=timezone.now())
    for path in (f"receipts/{paid.payment.charge_id}", f"invoices/{paid.invoice.id}"):
        page = text(client.get(f"/sandbox/{path}/"))
        for said in ("no real money", "500 credits $10.00", "$2.00", "$1.52",
                     "Paid $9.52", "Uwe", "DE123456789", "For Fern"):  # fmt: skip
            assert said in page
        assert "Refund," in page
        assert "$7.77" not in page


def test_there_is_no_receipt_for_what_is_not_paid(shop, client):
    payment = shop.debit()
    assert client.get(f"/sandbox/receipts/{payment.charge_id}/").status_code == 404
    assert client.get("/sandbox/invoices/in_none/").status_code == 404


@pytest.fixture
def press(admin):
    """Presses a button of the control page and returns what the page says then."""

    def press(action, **typed):
        return text(admin.post(f"/sandbox/do/{action}/", typed, follow=True))

    return press


def test_only_staff_get_to_the_control_page(site, client, customer):
    for visitor in (client, customer):
        assert visitor.get("/sandbox/").status_code == 302
        assert visitor.post("/sandbox/do/hold/").status_code == 302
    assert not deliveries.are_held()


def test_the_buttons_need_a_post_of_the_page_itself(admin, site):
    assert admin.get("/sandbox/do/hold/").status_code == 405
    assert admin.post("/sandbox/do/nonsense/").status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin.user)
    assert strict.post("/sandbox/do/hold/").status_code == 403


def test_the_board_shows_every_state_with_the_buttons_that_make_sense(shop, admin, press):
    def buttons() -> set[str]:
        found = re.findall(
            r'action="/sandbox/do/([\w-]+)/"', admin.get("/sandbox/").content.decode()
        )
        return set(found) - {"hold", "release", "drop", "create-code", "send-again"}

    assert "Nobody has started to pay yet." in text(admin.get("/sandbox/"))
    session = shop.session()
    assert buttons() == {"expire-session"}
    press("expire-session", id=session.id)
    assert buttons() == set()
    payment = shop.debit()
    assert buttons() == {"bank-accepts", "bank-refuses"}
    press("bank-accepts", id=payment.pk)
    assert buttons() == {"refund", "dispute", "inquire", "prevent"}
    press("refund", id=payment.pk, amount="300")
    assert buttons() == {"refund", "dispute", "inquire", "prevent", "settle-refund", "fail-refund"}
    press("settle-refund", id=Refund.objects.get().pk)
    press("fail-refund", id=Refund.objects.get().pk)
    press("inquire", id=payment.pk, amount="1000", reason="duplicate")
    assert buttons() == {"refund", "respond", "escalate", "win"}
    for step in ("escalate", "respond", "lose", "appeal", "win"):
        press(step, id=Dispute.objects.get().pk)
    assert Dispute.objects.get().status == "won"
    assert Dispute.objects.get().reason == "duplicate"
    assert "Refund of $3.00" in text(admin.get("/sandbox/"))


def test_the_bank_refuses_disputes_and_prevents_at_the_push_of_a_button(shop, press):
    refused, paid = shop.debit(), shop.sale()
    assert "Bank refused" in press("bank-refuses", id=refused.pk)
    assert "Disputed" in press("dispute", id=paid.pk, amount="100")
    press("prevent", id=paid.pk)
    assert set(Dispute.objects.values_list("status", "amount")) == {
        ("needs_response", 100),
        ("prevented", 900),
    }


@pytest.mark.parametrize(
    ("action", "typed", "words"),
    [
        ("refund", {"amount": "1001"}, "is greater than unrefunded amount"),
        ("refund", {"amount": "ten"}, "The amount counts the smallest unit"),
        ("refund", {"amount": "0"}, "greater than or equal to 1"),
        ("refund", {"id": "pi_none"}, "No such payment_intent"),
        ("refund", {"id": "\0"}, "Null characters"),
        ("refund", {"id": "x" * 300}, "at most 255"),
        ("refund", {"id": ""}, "No such payment_intent"),
        ("dispute", {"reason": "mood"}, "not one of the available choices"),
        ("win", {}, "No such dispute"),
        ("bank-accepts", {}, "answered already"),
        ("expire-session", {"id": "cs_none"}, "No such checkout.session"),
        ("send-again", {}, "No such event"),
        ("delete-customer", {}, "No such customer"),
        ("create-code", {"code": "X", "percent_off": "200"}, "less than or equal to 100"),
        ("create-code", {"code": "X"}, "either a percentage or an amount"),
        ("create-code", {"code": "50 %", "percent_off": "5"}, "letters, digits and hyphens"),
    ],
)
def test_what_cannot_be_done_is_told_kindly(shop, press, action, typed, words):
    payment = shop.sale()
    events = told()
    assert words in press(action, **{"id": payment.pk, **typed})
    assert told() == events


def test_codes_are_made_and_customers_deleted_on_the_control_page(shop, press):
    assert "FIVE $5.00 off from $20.00 on" in press(
        "create-code", code="five", amount_off="500", currency="usd", minimum_amount="2000"
    )
    code = PromotionCode.objects.get()
    assert (code.amount_off, code.minimum_amount, code.percent_off) == (500, 2000, None)
    made = customers.create({"name": "Fern"}, now=timezone.now())
    assert "deleted" in press("delete-customer", id=made.pk)
    assert Customer.objects.get().deleted_at


def test_events_that_are_held_back_arrive_when_they_are_released(shop, press, worker):
    press("hold")
    payment = shop.sale()
    disputes.open_chargeback(payment.pk, now=timezone.now())
    assert not Delivery.objects.exists()
    assert "3 events have not arrived yet" in press("hold")
    assert "Sent: 3" in press("release")
    assert StripeEvent.objects.count() == 3
    assert not deliveries.waiting().exists()
    assert "All events have arrived" in press("release")


def test_events_a_killed_worker_left_behind_can_be_sent(shop, admin, press, settings):
    shop.sale()  # No worker is there to send its event.
    assert "Send now" in admin.get("/sandbox/").content.decode()
    settings.CELERY_TASK_ALWAYS_EAGER = True
    assert "Sent: 1" in press("release")
    assert "Send now" not in admin.get("/sandbox/").content.decode()


def test_events_can_be_lost_and_sent_after_all(shop, press, worker):
    press("hold")
    shop.sale()
    assert "Events lost for good: 1." in press("drop")
    press("release")
    event = Event.objects.get()
    tasks.deliver(event.pk)
    assert not Delivery.objects.exists()
    press("send-again", id=event.pk)
    event.refresh_from_db()
    assert (event.delivered_at is not None, event.dropped_at) == (True, None)
    press("send-again", id=event.pk)
    assert list(Delivery.objects.values_list("status_code", flat=True)) == [200, 200]


def test_one_event_goes_out_while_the_others_are_held_back(shop, press, worker):
    press("hold")
    shop.sale()
    shop.sale()
    chosen = Event.objects.first()
    press("send-again", id=chosen.pk)
    assert Delivery.objects.get().event == chosen
    assert deliveries.waiting().count() == 1


def test_a_queue_that_is_down_breaks_no_page(shop, press, monkeypatch):
    def down(*args, **kwargs):
        raise ConnectionError("no broker")

    monkeypatch.setattr(tasks.deliver, "delay", down)
    shop.sale()
    assert "The event is sent again." in press("send-again", id=Event.objects.get().pk)
    assert "1 event has not arrived yet" in press("hold")
