"""The sandbox's API through Stripe's own client: customers, sessions, lists, expansion."""

import calendar
from datetime import timedelta

import pytest
from django.utils import timezone
from sandbox_shop import GOOD_CARD, refusal

from topups.sandbox import customers, sessions
from topups.sandbox.models import Session


def test_a_customer_is_created_changed_and_deleted(shop):
    made = shop.v1.customers.create(
        {"name": "Fern", "email": "a@example.com", "metadata": {"org": "1", "x": "y"}}
    )
    changed = shop.v1.customers.update(made.id, {"name": "Field", "metadata": {"x": "", "z": "1"}})
    assert changed.to_dict() == shop.v1.customers.retrieve(made.id).to_dict()
    assert (changed.name, changed.email) == ("Field", "a@example.com")
    assert changed.metadata.to_dict() == {"org": "1", "z": "1"}
    customers.delete(made.id, now=timezone.now())
    gone = shop.v1.customers.retrieve(made.id).to_dict()
    assert gone == {"id": made.id, "object": "customer", "deleted": True}
    assert refusal(shop.v1.customers.update, made.id, {"name": "x"}).code == "resource_missing"
    error = refusal(shop.session, customer=made.id)
    assert (error.http_status, error.code, error.param) == (400, "resource_missing", "customer")
    assert f"No such customer: '{made.id}'" in str(error)


def test_a_customer_can_be_told_apart_from_an_email_only_by_one_of_them(shop):
    customer = shop.v1.customers.create({"email": "a@example.com"}).id
    error = refusal(shop.session, customer=customer, customer_email="b@example.com")
    assert "only specify one" in str(error)
    assert "customer_update" in str(refusal(shop.session, customer_update={"name": "auto"}))
    session = shop.session(customer=customer)
    assert (session.customer, session.customer_details.email) == (customer, "a@example.com")


def test_a_known_customer_must_be_updatable_with_what_the_page_asks(shop):
    customer = shop.v1.customers.create({"name": "Fern"}).id
    on = {"enabled": True}
    assert "business name" in str(refusal(shop.session, customer=customer, tax_id_collection=on))
    error = refusal(shop.session, customer=customer, automatic_tax=on)
    assert error.code == "customer_tax_location_invalid"
    both = {"name": "auto", "address": "auto"}
    session = shop.session(
        customer=customer, automatic_tax=on, tax_id_collection=on, customer_update=both
    )
    sessions.pay(session.id, GOOD_CARD, now=timezone.now())
    assert shop.v1.customers.retrieve(customer).address.country == "US"
    assert shop.session(customer=customer, automatic_tax=on).automatic_tax.status == "complete"


def test_what_may_pay_is_what_was_allowed(shop):
    assert shop.session().payment_method_types == ["card", "sepa_debit"]
    session = shop.session(allowed_payment_method_types=["card"])
    assert session.payment_method_types == ["card"]
    with pytest.raises(sessions.Refused, match="cannot be paid by"):
        sessions.pay_by_bank(session.id, now=timezone.now())
    assert shop.v1.checkout.sessions.retrieve(session.id).status == "open"


@pytest.mark.parametrize(
    ("minutes", "words"), [(29, "at least 30 minutes"), (24 * 60 + 1, "less than 24 hours")]
)
def test_a_session_lives_half_an_hour_to_a_day(shop, minutes, words):
    expires_at = calendar.timegm((timezone.now() + timedelta(minutes=minutes)).utctimetuple())
    assert words in str(refusal(shop.session, expires_at=expires_at))
    fine = calendar.timegm((timezone.now() + timedelta(minutes=31)).utctimetuple())
    assert shop.session(expires_at=fine).expires_at == fine


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"automatic_tax": {"enabled": "maybe"}}, "automatic_tax[enabled]"),
        ({"automatic_tax": {"liability": {"type": "self"}}}, "automatic_tax[liability]"),
        ({"invoice_creation": {"enabled": True, "invoice_data": {"footer": "x"}}},
         "invoice_creation[invoice_data][footer]"),
        ({"payment_intent_data": {"setup_future_usage": "on_session"}},
         "payment_intent_data[setup_future_usage]"),
        ({"price": {"tax_behavior": "none"}}, "line_items[0][price_data][tax_behavior]"),
        ({"billing_address_collection": "never"}, "billing_address_collection"),
        ({"allowed_payment_method_types": ["klarna"]}, "allowed_payment_method_types[0]"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"metadata": {f"k{number}": "v" for number in range(51)}}, "metadata"),
        ({"metadata": {"k" * 41: "v"}}, "metadata"),
        ({"customer_email": ""}, "customer_email"),
    ],
)  # fmt: skip
def test_what_stripe_would_refuse_is_refused(shop, changes, param):
    assert refusal(shop.session, **changes).param == param
    assert not Session.objects.exists()


def test_a_complete_session_tells_everything_and_expands(shop):
    customer = shop.v1.customers.create({"name": "Fern", "email": "a@example.com"}).id
    payment = shop.sale(
        customer=customer,
        metadata={"purchase_id": "p1"},
        invoice_creation={"enabled": True, "invoice_data": {"metadata": {"i": "1"}}},
        payment_intent_data={"metadata": {"p": "1"}, "description": "Credits"},
    )
    session = shop.v1.checkout.sessions.retrieve(
        Session.objects.get().pk,
        {"expand": ["payment_intent.latest_charge", "invoice", "customer"]},
    )
    intent, invoice = session.payment_intent, session.invoice
    assert (session.payment_status, session.status, session.url) == ("paid", "complete", None)
    assert (intent.id, intent.status, intent.amount_received) == (payment.pk, "succeeded", 1000)
    assert (intent.metadata.to_dict(), intent.description) == ({"p": "1"}, "Credits")
    assert (intent.customer, session.customer.id) == (customer, customer)
    charge = intent.latest_charge
    assert (charge.status, charge.paid, charge.amount_refunded) == ("succeeded", True, 0)
    assert (charge.refunded, charge.disputed, charge.payment_intent) == (False, False, payment.pk)
    assert charge.receipt_url.endswith(f"/sandbox/receipts/{charge.id}/")
    assert (invoice.status, invoice.total, invoice.number[:8]) == ("paid", 1000, "SANDBOX-")
    assert invoice.metadata.to_dict() == {"i": "1"}
    assert shop.v1.invoices.retrieve(invoice.id).hosted_invoice_url == invoice.invoice_pdf


def test_only_what_exists_expands(shop):
    session = shop.session()
    retrieve = shop.v1.checkout.sessions.retrieve
    assert "cannot be expanded (nonsense)" in str(
        refusal(retrieve, session.id, {"expand": ["nonsense"]})
    )
    assert "more than 4 levels" in str(refusal(retrieve, session.id, {"expand": ["a.b.c.d.e"]}))
    assert "cannot be expanded" in str(
        refusal(shop.v1.checkout.sessions.list, {"expand": ["payment_intent"]})
    )
    assert retrieve(session.id, {"expand": ["payment_intent.latest_charge"]}).payment_intent is None


def test_a_list_goes_newest_first_page_by_page(shop):
    made = [shop.session().id for _ in range(5)]
    first = shop.v1.checkout.sessions.list({"limit": 2})
    assert [session.id for session in first.data] == made[:2:-1]
    assert (first.has_more, first.url) == (True, "/v1/checkout/sessions")
    assert [session.id for session in first.auto_paging_iter()] == made[::-1]
    rest = shop.v1.checkout.sessions.list({"starting_after": made[2], "limit": 2})
    assert ([session.id for session in rest.data], rest.has_more) == (made[1::-1], False)
    error = refusal(shop.v1.checkout.sessions.list, {"starting_after": "cs_test_no"})
    assert (error.code, error.param) == ("resource_missing", "starting_after")
    for limit in (0, 101):
        assert refusal(shop.v1.checkout.sessions.list, {"limit": limit}).param == "limit"


def test_a_page_ends_in_the_middle_of_an_instant(shop):
    made = [shop.session().id for _ in range(3)]
    Session.objects.update(created_at=timezone.now())
    page = shop.v1.checkout.sessions.list({"limit": 2})
    assert [session.id for session in page.auto_paging_iter()] == made[::-1]


def test_a_list_of_parameters_needs_no_numbers(shop, client):
    shop.sale()
    listed = client.get(
        "/sandbox/v1/checkout/sessions?expand[]=data.payment_intent&expand[]=data.customer",
        headers={"Authorization": "Bearer sk_test_sandbox"},
    ).json()
    assert listed["data"][0]["payment_intent"]["status"] == "succeeded"


def test_a_list_has_ten_unless_told_otherwise(shop):
    for _ in range(11):
        shop.session()
    listed = shop.v1.checkout.sessions.list()
    assert (len(listed.data), listed.has_more) == (10, True)


def test_a_list_is_narrowed_by_time_payment_customer_and_status(shop):
    customer = shop.v1.customers.create({"email": "a@example.com"}).id
    old, paid = shop.session(), shop.sale(customer=customer)
    Session.objects.filter(pk=old.id).update(created_at=timezone.now() - timedelta(days=2))
    day_ago = int((timezone.now() - timedelta(days=1)).timestamp())

    def listed(**params):
        return [session.id for session in shop.v1.checkout.sessions.list(params).data]

    paid_id = Session.objects.get(payment=paid).pk
    assert listed(created={"gte": day_ago}) == listed(created={"gt": day_ago}) == [paid_id]
    assert listed(created={"lte": day_ago}) == listed(created={"lt": day_ago}) == [old.id]
    created = shop.v1.checkout.sessions.retrieve(paid_id).created
    assert listed(created=created) == listed(created={"gte": created, "lte": created}) == [paid_id]
    assert listed(created={"gt": created}) == []
    assert listed(payment_intent=paid.pk) == listed(customer=customer) == [paid_id]
    assert listed(status="complete") == [paid_id]
    assert listed(status="open") == [old.id]
    expanded = shop.v1.checkout.sessions.list({"expand": ["data.payment_intent.latest_charge"]})
    assert expanded.data[0].payment_intent.latest_charge.id == paid.charge_id
    assert refusal(listed, created={"after": 1}).param == "created[after]"
    assert refusal(listed, nonsense="1").param == "nonsense"


def test_a_list_knows_whose_time_is_over(shop):
    session = shop.session()
    Session.objects.update(expires_at=timezone.now())
    assert [found.id for found in shop.v1.checkout.sessions.list({"status": "expired"}).data] == [
        session.id
    ]
