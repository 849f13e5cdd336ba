"""Emails to buyers and staff: right in text and HTML, sent after the commit, once."""

import re
from datetime import timedelta
from email import message_from_string
from email.policy import default as email_policy

import pytest
from django.db import transaction
from django.utils import timezone

from credits import mail, tasks
from credits.models import Email, Organization, Wording
from topups import fulfillment, gateway, notifications, refunds
from topups import tasks as topup_tasks
from topups.models import Purchase
from topups.sandbox import bank, disputes, promotions, sessions
from topups.sandbox import refunds as sandbox_refunds
from topups.sandbox.models import Event, Session
from topups.sandbox.totals import Billing

TRICKY = '<b>Fern</b> & "Field\'s"'


@pytest.fixture
def customer(site, worker, make_customer):
    """Events reach the webhook as they happen, and the name tries to be markup."""
    return make_customer("fern", Organization.objects.create(name=TRICKY))


def paid_session(purchase: Purchase) -> gateway.CheckoutSession:
    return gateway.CheckoutSession(
        id="cs_test_known",
        url=None,
        state=gateway.PaymentState.PAID,
        currency="usd",
        amount_subtotal=10_00,
        amount_total=10_00,
        amount_discount=0,
        amount_tax=0,
        purchase_id=purchase.pk,
        payment_intent="pi_1",
    )


def html_of(message) -> str:
    ((html, kind),) = message.alternatives
    assert kind == "text/html"
    return html


def send(mailoutbox):
    """What a run of the task sends: the one message there is."""
    tasks.send_mail()
    (message,) = mailoutbox
    return message


# --- What they say --------------------------------------------------------------------------------


def test_a_receipt_tells_price_discount_tax_and_total(customer, plan, mailoutbox, settings):
    settings.STRIPE_AUTOMATIC_TAX = True
    promotions.create("HALF", percent_off=50, now=timezone.now())
    customer.choose(plan)
    session_id, now = Session.objects.get().pk, timezone.now()
    promotions.redeem(session_id, "half", now=now)
    at_home = Billing(name="Fern", email="fern@example.com", country="DE", postal_code="10115")
    sessions.pay(session_id, "4242424242424242", billing=at_home, now=now)

    message = send(mailoutbox)
    assert message.to == ["fern@example.com"]
    assert message.subject == "Your receipt: 500 credits"
    assert "Your payment of $5.95 arrived" in message.body
    assert f"{TRICKY} can use its 500 Amplience credits right away" in message.body
    lines = [re.split(" {2,}", line) for line in message.body.splitlines()]
    today = f"{now:%B} {now.day}, {now:%Y}"
    for fact in (
        ["For", TRICKY],
        ["Date", today],
        ["Price", "$10.00"],
        ["Discount", "-$5.00"],
        ["Tax", "$0.95"],
        ["Total", "$5.95"],
    ):
        assert fact in lines
        assert re.sub(r"<[^>]+>|\s+", "", html_of(message)).count(escaped("".join(fact))) == 1
    assert f"{settings.BASE_URL}/purchases/" in message.body
    assert f'href="{settings.BASE_URL}/purchases/"' in html_of(message)


def escaped(text: str) -> str:
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(plain, entity)
    return text.replace("'", "&#x27;").replace(" ", "")


def test_a_receipt_without_discount_or_tax_has_no_lines_for_them(customer, plan, mailoutbox):
    customer.buy(plan)
    message = send(mailoutbox)
    for part in (message.body, html_of(message)):
        assert "Total" in part
        assert "Discount" not in part
        assert "Tax" not in part


def test_a_free_order_is_confirmed_as_free(customer, plan, mailoutbox):
    promotions.create("GIFT", percent_off=100, now=timezone.now())
    customer.choose(plan)
    session = Session.objects.get()
    promotions.redeem(session.pk, "GIFT", now=timezone.now())
    sessions.complete_free(session.pk, now=timezone.now())
    message = send(mailoutbox)
    for part in (message.body, html_of(message)):
        assert "There was nothing to pay" in part
        assert "payment of" not in part
    assert re.search(r"Total +\$0\.00", message.body)


def test_a_bank_that_declines_is_told_of_and_nothing_is_thanked_for(customer, plan, mailoutbox):
    session = customer.debit(plan)
    bank.refuse(session.payment_id, now=timezone.now())
    message = send(mailoutbox)
    assert message.subject == "Your bank declined the payment for 500 credits"
    for part in (message.body, html_of(message)):
        assert "Nothing was charged" in part
        assert "$10.00" in part
        assert "/top-up/" in part


def test_a_bank_that_pays_is_told_of_by_the_receipt(customer, plan, mailoutbox):
    session = customer.debit(plan)
    tasks.send_mail()
    assert mailoutbox == []
    bank.accept(session.payment_id, now=timezone.now())
    assert send(mailoutbox).subject == "Your receipt: 500 credits"


@pytest.mark.parametrize(
    ("amount_minor", "money", "credits_taken"),
    [
        (4_00, "We refunded $4.00 of the $10.00 you paid", "The matching part of its credits"),
        (10_00, "We refunded your payment of $10.00", "The credits of this purchase"),
    ],
)
def test_a_refund_tells_the_money_when_it_comes_and_the_credits(
    customer, plan, mailoutbox, amount_minor, money, credits_taken
):
    customer.buy(plan)
    payment = Session.objects.get().payment_id
    tasks.send_mail()
    mailoutbox.clear()
    sandbox_refunds.create(payment, amount_minor, now=timezone.now())
    message = send(mailoutbox)
    assert message.subject == "Your refund is on its way"
    assert f"{money} for 500 Amplience credits of {TRICKY}" in message.body
    assert money in re.sub("<[^>]+>", "", html_of(message))
    for part in (message.body, html_of(message)):
        assert "5 to 10 business days" in part
        assert credits_taken in part
        assert "not used yet" in part


def test_two_refunds_of_one_purchase_are_two_emails_and_their_repetitions_none(
    customer, plan, mailoutbox
):
    customer.buy(plan)
    payment = Session.objects.get().payment_id
    for amount_minor in (4_00, 6_00):
        sandbox_refunds.create(payment, amount_minor, now=timezone.now())
        topup_tasks.reconcile()
    tasks.send_mail()
    told = [message.body for message in mailoutbox if "refund" in message.subject]
    assert len(told) == 2
    assert [amount for body in told for amount in re.findall(r"refunded (\S+) of", body)] == [
        "$4.00",
        "$6.00",
    ]


def test_staff_are_told_what_needs_them(customer, plan, mailoutbox, settings):
    settings.ALERT_EMAILS = ["pay@example.com", "ops@example.com"]
    customer.buy(plan)
    tasks.send_mail()
    mailoutbox.clear()
    disputes.open_chargeback(Session.objects.get().payment_id, now=timezone.now())
    tasks.send_mail()
    assert {address for message in mailoutbox for address in message.to} == {
        "pay@example.com",
        "ops@example.com",
    }
    for message in mailoutbox:
        assert message.subject == "A dispute needs an answer"
        assert f"{TRICKY} disputes $10.00" in message.body
        assert "&lt;b&gt;Fern&lt;/b&gt; &amp; " in html_of(message)


def test_emails_stand_alone_and_leave_light_and_dark_to_the_reader(
    customer, plan, mailoutbox, settings
):
    notify_of_everything(customer, plan)
    tasks.send_mail()
    assert len(mailoutbox) == 4
    for message in mailoutbox:
        html = html_of(message)
        assert not re.search(r"<(table|img|link|script|iframe)|url\(|@import", html)
        assert '<meta name="color-scheme" content="light dark">' in html
        assert not re.search(r"(?<!-)background:(?!#5650e8)|<body[^>]*color:", html)
        assert "<b>Fern" not in html
        for entity in ("&amp;", "&lt;", "&#x27;", "&quot;"):
            assert entity not in message.body
        assert "\n" not in message.subject
        assert message.subject
        assert "\n\n\n" not in message.body
        assert message.body.endswith(f"\nAmplience credits\n{settings.BASE_URL}\n")
        for part in (message.body, html):
            assert "None" not in part
            assert "{{" not in part
            assert "{%" not in part


def notify_of_everything(customer, plan) -> None:
    now = timezone.now()
    customer.buy(plan)
    purchase = Purchase.objects.get()
    notifications.payment_failed(purchase, now=now)
    sandbox_refunds.create(Session.objects.get().payment_id, 4_00, now=now)
    mail.queue(
        "alert",
        to="pay@example.com",
        template="alert",
        context={"subject": f"{TRICKY} fails", "text": TRICKY},
        now=now,
    )


def test_the_credits_are_called_what_staff_call_them(customer, plan, mailoutbox):
    Wording.objects.update(credits_name="AI credits & more")
    customer.buy(plan)
    message = send(mailoutbox)
    assert "500 AI credits & more right away" in message.body
    assert "500 AI credits &amp; more right away" in html_of(message)
    assert message.body.splitlines()[-2] == "AI credits & more"


def test_the_console_shows_an_email_readably(customer, plan, mailoutbox, settings, capsys):
    customer.buy(plan)
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    tasks.send_mail()
    printed = capsys.readouterr().out
    assert "Subject: Your receipt: 500 credits\n" in printed
    assert f"Thank you! Your payment of $10.00 arrived, and {TRICKY} can use" in printed
    parsed = message_from_string(printed.partition("\n---")[0], policy=email_policy)
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]


# --- After the commit, once -----------------------------------------------------------------------


def test_what_is_rolled_back_is_not_told(pending, mailoutbox):
    def fulfill_and_fail() -> None:
        with transaction.atomic():
            fulfillment.fulfill(pending.pk, paid_session(pending), now=timezone.now())
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fulfill_and_fail()
    tasks.send_mail()
    assert mailoutbox == []
    assert not Email.objects.exists()
    fulfillment.fulfill(pending.pk, paid_session(pending), now=timezone.now())
    assert mailoutbox == []  # Written down, and sent by the worker.
    tasks.send_mail()
    assert len(mailoutbox) == 1


def test_webhooks_returns_and_sweeps_together_send_one_receipt(customer, plan, mailoutbox, deliver):
    back = customer.buy(plan)  # The webhook has come.
    event = Event.objects.get().payload
    for _ in range(2):
        assert deliver(event) == 200
        assert customer.get(back).status_code == 200
        topup_tasks.sweep()
        topup_tasks.reconcile()
        tasks.send_mail()
    assert [message.subject for message in mailoutbox] == ["Your receipt: 500 credits"]


def test_what_staff_decide_is_told_when_stripe_has_done_it(
    customer, plan, admin, mailoutbox, settings
):
    customer.buy(plan)
    tasks.send_mail()
    mailoutbox.clear()
    with_stripe = settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    refund = refunds.request(
        Purchase.objects.get(),
        10_00,
        reason="Bought twice",
        actor=admin.user,
        request_id=Purchase.objects.get().pk,
        now=timezone.now(),
    )
    refunds.send(refund, now=timezone.now())
    tasks.send_mail()
    assert mailoutbox == []  # Nobody knows yet whether it comes.
    settings.STRIPE_API_BASE = with_stripe
    refunds.send_due(now=timezone.now() + timedelta(minutes=5))
    refunds.send_due(now=timezone.now() + timedelta(minutes=50))
    assert send(mailoutbox).subject == "Your refund is on its way"
