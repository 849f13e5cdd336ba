"""Many tell us of one payment at the same moment, over real connections: it counts once."""

import json
import urllib.request
from urllib.error import HTTPError

import pytest
from buying import Customer, bought_credits, event_about, signed
from django.utils import timezone

from credits.models import Entry, Grant
from tests.concurrency.threads import at_once
from topups.models import Purchase, StripeEvent
from topups.sandbox import customers
from topups.sandbox.models import Customer as StripeCustomer
from topups.sandbox.models import Session

DELIVERIES = 10
CLICKS = 5


@pytest.fixture
def customer(site, make_customer):
    return make_customer("acme")


def test_ten_deliveries_of_one_event_give_one_grant(site, customer, plan):
    customer.buy(plan)
    event = event_of(Session.objects.get())
    answers = at_once(lambda _: send(site, event), range(DELIVERIES))
    assert answers == [200] * DELIVERIES
    assert_granted_once(customer)
    assert StripeEvent.objects.get().attempts == 1


def test_ten_deliveries_and_ten_returns_give_one_grant(site, customer, plan):
    back = customer.buy(plan)
    event = event_of(Session.objects.get())
    calls = [lambda: send(site, event), lambda: visit(back, customer)] * DELIVERIES
    assert at_once(lambda call: call(), calls) == [200] * 2 * DELIVERIES
    assert_granted_once(customer)


def test_ten_different_events_about_one_payment_give_one_grant(site, customer, plan):
    customer.buy(plan)
    events = [event_of(Session.objects.get()) for _ in range(DELIVERIES)]
    calls = [lambda event=event: send(site, event) for event in events]
    assert at_once(lambda call: call(), calls) == [200] * DELIVERIES
    assert_granted_once(customer)
    assert StripeEvent.objects.filter(status="processed").count() == DELIVERIES


def test_five_clicks_at_once_make_one_checkout(customer, plan):
    windows = [Customer(customer.user, customer.organization) for _ in range(CLICKS)]
    answers = at_once(lambda window: window.choose(plan), windows)
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert Purchase.objects.count() == Session.objects.count() == 1
    assert StripeCustomer.objects.count() == 1


def test_the_first_clicks_of_several_members_share_one_customer(customer, plan, make_customer):
    members = [make_customer(f"m{n}", customer.organization) for n in range(CLICKS)]
    answers = at_once(lambda member: member.choose(plan), members)
    assert len({answer.headers["Location"] for answer in answers}) == CLICKS
    assert len(set(Session.objects.values_list("customer", flat=True))) == 1


def test_clicks_after_the_customer_was_deleted_make_one_checkout(customer, plan):
    customer.get(customer.buy(plan))
    customers.delete(StripeCustomer.objects.get().pk, now=timezone.now())
    windows = [Customer(customer.user, customer.organization) for _ in range(CLICKS)]
    answers = at_once(lambda window: window.choose(plan), windows)
    (pay_page,) = {answer.headers["Location"] for answer in answers}
    back = customer.post(pay_page, {"card_number": "4242 4242 4242 4242"}).headers["Location"]
    assert customer.get(back).status_code == 200
    assert bought_credits(customer.organization) == [500, 500]


def test_ten_that_create_one_session_get_the_same(site):
    body = (
        "mode=payment&success_url=https://shop.test/&line_items[0][quantity]=1"
        "&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=1000"
        "&line_items[0][price_data][product_data][name]=Credits"
    )
    headers = {"Authorization": "Bearer sk_test_sandbox", "Idempotency-Key": "k1"}

    def create() -> str:
        address = f"{site}/sandbox/v1/checkout/sessions"
        request = urllib.request.Request(address, body.encode(), headers)
        with urllib.request.urlopen(request) as response:
            return json.load(response)["id"]

    assert len(set(at_once(lambda _: create(), range(DELIVERIES)))) == 1
    assert Session.objects.count() == 1


def event_of(session: Session) -> dict:
    return event_about(session.metadata["purchase_id"], id=session.pk)


def send(site: str, event: dict) -> int:
    post = signed(event)
    headers = {**post["headers"], "Content-Type": post["content_type"]}
    return status_of(
        urllib.request.Request(f"{site}/stripe/webhook/", post["data"].encode(), headers)
    )


def visit(address: str, customer) -> int:
    return status_of(urllib.request.Request(address, headers={"Cookie": cookies(customer)}))


def cookies(customer) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in customer.cookies.items())


def status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request) as response:
            return response.status
    except HTTPError as error:
        with error:
            return error.code


def assert_granted_once(customer) -> None:
    assert bought_credits(customer.organization) == [500]
    entries = Entry.objects.filter(grant__kind=Grant.Kind.TOP_UP)
    assert list(entries.values_list("credits", flat=True)) == [500]
    assert Purchase.objects.get().status == Purchase.Status.PAID
