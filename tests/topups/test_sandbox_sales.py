"""Every way a payment can go at the sandbox, seen through Stripe's own client."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from sandbox_shop import GOOD_CARD, refusal, told, told_of

from topups.sandbox import bank, payments, promotions, sessions, totals
from topups.sandbox.errors import Refused
from topups.sandbox.models import Invoice, Session
from topups.sandbox.tax import taxed

TAXED = {"automatic_tax": {"enabled": True}}
GERMAN = totals.Billing("Uwe", "uwe@example.com", "DE", "10115", "DE123456789")


def now():
    return timezone.now()


def latest(shop):
    return shop.v1.checkout.sessions.retrieve(Session.objects.first().pk)


def test_a_bank_debit_is_unpaid_until_the_bank_pays(shop):
    payment = shop.debit(invoice_creation={"enabled": True})
    session = latest(shop)
    assert (session.status, session.payment_status) == ("complete", "unpaid")
    assert session.invoice is None
    intent = shop.v1.payment_intents.retrieve(payment.pk)
    assert (intent.status, intent.amount_received) == ("processing", 0)
    charge = shop.charge(payment)
    assert (charge.status, charge.paid, charge.receipt_url) == ("pending", False, None)
    bank.accept(payment.pk, now=now())
    session = latest(shop)
    assert (session.payment_status, session.payment_intent) == ("paid", payment.pk)
    assert session.invoice == Invoice.objects.get().id
    assert shop.v1.payment_intents.retrieve(payment.pk).status == "succeeded"
    assert told() == ["checkout.session.async_payment_succeeded", "checkout.session.completed"]
    # Each tells how the session was then.
    assert told_of("checkout.session.completed")["payment_status"] == "unpaid"
    succeeded = told_of("checkout.session.async_payment_succeeded")
    assert (succeeded["payment_status"], succeeded["invoice"]) == ("paid", session.invoice)


def test_a_bank_that_refuses_tells_why(shop):
    payment = shop.debit()
    bank.refuse(payment.pk, now=now(), reason="No account")
    intent = shop.v1.payment_intents.retrieve(payment.pk)
    assert (intent.status, intent.last_payment_error.message) == (
        "requires_payment_method",
        "No account",
    )
    assert shop.charge(payment).status == "failed"
    assert (latest(shop).status, latest(shop).payment_status) == ("complete", "unpaid")
    assert told_of("checkout.session.async_payment_failed")["payment_status"] == "unpaid"
    error = refusal(shop.v1.refunds.create, {"payment_intent": payment.pk})
    assert "does not have a successful charge" in str(error)


def test_a_bank_answers_once(shop):
    payment = shop.debit()
    bank.accept(payment.pk, now=now())
    for answer in (bank.accept, bank.refuse):
        with pytest.raises(Refused, match="answered already"):
            answer(payment.pk, now=now())
    with pytest.raises(Refused, match="No such payment_intent"):
        bank.accept("pi_none", now=now())


def test_a_session_is_paid_once_whatever_the_way(shop):
    session = shop.session()
    sessions.pay(session.id, GOOD_CARD, now=now())
    for again in (
        lambda: sessions.pay(session.id, GOOD_CARD, now=now()),
        lambda: sessions.pay_by_bank(session.id, now=now()),
        lambda: sessions.complete_free(session.id, now=now()),
        lambda: promotions.redeem(session.id, "x", now=now()),
        lambda: sessions.enter_billing(session.id, GERMAN, now=now()),
        lambda: sessions.expire(session.id, now=now()),
    ):
        with pytest.raises(sessions.NotOpen):
            again()
    assert told() == ["checkout.session.completed"]


def test_a_code_for_everything_makes_the_order_free(shop):
    promotions.create("gift", percent_off=100, now=now())
    session = shop.session(
        automatic_tax={"enabled": True}, allow_promotion_codes=True,
        invoice_creation={"enabled": True},
    )  # fmt: skip
    with pytest.raises(Refused, match="not free"):
        sessions.complete_free(session.id, now=now())
    promotions.redeem(session.id, "Gift", now=now())
    sessions.complete_free(session.id, now=now(), billing=GERMAN)
    free = latest(shop)
    assert (free.status, free.payment_status) == ("complete", "no_payment_required")
    assert (free.payment_intent, free.amount_total, free.amount_subtotal) == (None, 0, 1000)
    assert free.total_details.amount_discount == 1000
    assert shop.v1.invoices.retrieve(free.invoice).total == 0
    assert told_of("checkout.session.completed") == free.to_dict()


def test_a_price_of_nothing_is_free_too_and_too_little_is_refused(shop):
    free = sessions.complete_free(shop.session(0).id, now=now())
    assert (free.payment_status, free.payment) == ("no_payment_required", None)
    assert refusal(shop.session, 49).code == "amount_too_small"


@pytest.mark.parametrize(
    ("terms", "discount"),
    [
        ({"percent_off": 20}, 199),
        ({"percent_off": 1}, 10),
        ({"amount_off": 300, "currency": "usd"}, 300),
        ({"amount_off": 3000, "currency": "usd"}, 995),
        ({"percent_off": 50, "minimum_amount": 995, "currency": "usd"}, 498),
    ],
)
def test_a_code_takes_off_a_share_or_an_amount(shop, terms, discount):
    code = promotions.create("CODE", now=now(), **terms)
    session = shop.session(995, allow_promotion_codes=True)
    assert session.discounts == []
    promotions.redeem(session.id, " code ", now=now())
    found = latest(shop)
    assert found.total_details.amount_discount == discount
    assert (found.amount_subtotal, found.amount_total) == (995, 995 - discount)
    assert [taken.promotion_code for taken in found.discounts] == [code.pk]
    promotions.remove(session.id, now=now())
    assert (latest(shop).amount_total, latest(shop).discounts) == (995, [])


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"amount_off": 100, "currency": "eur"}, "invalid"),
        ({"percent_off": 10, "minimum_amount": 1001, "currency": "usd"}, r"from \$10.01 on"),
        ({"percent_off": 96}, "at least 50"),
        (None, "invalid"),
    ],
)
def test_a_code_that_does_not_fit_changes_nothing(shop, terms, words):
    if terms:
        promotions.create("CODE", now=now(), **terms)
    session = shop.session(allow_promotion_codes=True)
    with pytest.raises(Refused, match=words):
        promotions.redeem(session.id, "CODE\0" if terms is None else "CODE", now=now())
    assert latest(shop).amount_total == 1000


def test_codes_are_taken_only_where_they_are_allowed_and_active(shop):
    code = promotions.create("CODE", percent_off=10, now=now())
    with pytest.raises(Refused, match="invalid"):
        promotions.redeem(shop.session().id, "CODE", now=now())
    code.is_active = False
    code.save()
    with pytest.raises(Refused, match="invalid"):
        promotions.redeem(shop.session(allow_promotion_codes=True).id, "CODE", now=now())


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"percent_off": 10, "amount_off": 10, "currency": "usd"},
        {"percent_off": 0},
        {"percent_off": 101},
        {"amount_off": 0, "currency": "usd"},
        {"amount_off": 10},
        {"percent_off": 10, "minimum_amount": 10},
        {"percent_off": 10, "minimum_amount": -1, "currency": "usd"},
    ],
)
def test_a_code_needs_terms_that_make_sense(db, terms):
    with pytest.raises(Refused):
        promotions.create("CODE", now=now(), **terms)


def test_a_code_is_made_once_of_letters_and_digits(db):
    promotions.create("CODE", percent_off=10, now=now())
    with pytest.raises(Refused, match="already exists"):
        promotions.create("code", percent_off=10, now=now())
    with pytest.raises(Refused, match="letters"):
        promotions.create("50 %", percent_off=10, now=now())


@pytest.mark.parametrize(
    ("amount", "country", "behavior", "tax", "total"),
    [
        (1000, "DE", "exclusive", 190, 1190),
        (1000, "GB", "unspecified", 200, 1200),
        (1000, "FR", "exclusive", 200, 1200),
        (1000, "US", "exclusive", 0, 1000),
        (1190, "DE", "inclusive", 190, 1190),
        (1003, "DE", "exclusive", 191, 1194),
        (50, "DE", "exclusive", 10, 60),
    ],
)
def test_tax_is_rounded_to_the_smallest_unit(amount, country, behavior, tax, total):
    found = taxed(amount, country, behavior)
    assert (found.amount_tax, found.amount_total) == (tax, total)


@pytest.mark.parametrize(("behavior", "tax", "total"), [("exclusive", 171, 1071),
                                                        ("inclusive", 144, 900)])  # fmt: skip
def test_tax_waits_for_the_country_and_is_on_what_the_code_leaves(shop, behavior, tax, total):
    promotions.create("TEN", percent_off=10, now=now())
    session = shop.session(
        allow_promotion_codes=True, tax_id_collection={"enabled": True},
        price={"tax_behavior": behavior}, **TAXED,
    )  # fmt: skip
    assert (session.automatic_tax.status, session.amount_total) == (
        "requires_location_inputs",
        1000,
    )
    promotions.redeem(session.id, "TEN", now=now())
    sessions.enter_billing(session.id, GERMAN, now=now())
    found = latest(shop)
    assert found.automatic_tax.status == "complete"
    assert (found.amount_subtotal, found.amount_total) == (1000, total)
    assert found.total_details.to_dict() == {
        "amount_discount": 100, "amount_shipping": 0, "amount_tax": tax,
    }  # fmt: skip
    details = found.customer_details
    assert (details.email, details.name, details.address.country) == (
        "uwe@example.com", "Uwe", "DE",
    )  # fmt: skip
    assert details.tax_ids[0].to_dict() == {"type": "eu_vat", "value": "DE123456789"}
    paid = sessions.pay(session.id, GOOD_CARD, now=now())
    assert paid.payment.amount == total


def test_a_customer_keeps_what_may_be_updated_and_nothing_else(shop):
    for update, name, country in (("auto", "Uwe", "DE"), ("never", "Fern", None)):
        customer = shop.v1.customers.create({"name": "Fern", "email": "a@example.com"}).id
        session = shop.session(
            customer=customer, customer_update={"name": update, "address": update}
        )
        sessions.pay(session.id, GOOD_CARD, now=now(), billing=GERMAN)
        found = shop.v1.customers.retrieve(customer)
        assert (found.name, found.address and found.address.country) == (name, country)


def test_a_country_without_automatic_tax_is_not_taxed(shop):
    session = shop.session(billing_address_collection="required")
    sessions.enter_billing(session.id, GERMAN, now=now())
    assert (latest(shop).amount_total, latest(shop).automatic_tax.status) == (1000, None)


def test_declined_cards_leave_the_session_open(shop):
    session = shop.session()
    for number, words in (("4000000000000002", "declined"), ("", "not a test card")):
        with pytest.raises(payments.CardDeclined, match=words):
            sessions.pay(session.id, number, now=now())
    assert latest(shop).status == "open"
    assert told() == []


@pytest.mark.parametrize(
    "change",
    [
        {"status": "complete"},
        {"payment_status": "paid"},
        {"amount_total": 999},
        {"amount_discount": 1, "amount_total": 999},
        {"amount_tax": 1, "amount_total": 1001},
    ],
)
def test_the_database_refuses_a_session_that_cannot_be(shop, change):
    session = shop.session()
    with pytest.raises(IntegrityError), transaction.atomic():
        Session.objects.filter(pk=session.id).update(**change)
