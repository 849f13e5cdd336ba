"""The sandbox answers as Stripe does, to the SDK and to plain HTTP."""

import subprocess
import sys
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import stripe
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from topups import gateway
from topups.models import StripeEvent
from topups.sandbox import customers, deliveries, sessions, tasks
from topups.sandbox.models import Customer, Delivery, Event, IdempotencyKey, Session

PATH = "/sandbox/v1/checkout/sessions"
PARAMS = {
    "mode": "payment",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "1000",
    "line_items[0][price_data][product_data][name]": "500 credits",
    "metadata[purchase_id]": "p1",
    "customer_email": "a@example.com",
    "success_url": "https://shop.test/done?session={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://shop.test/",
}
KEY = {"Authorization": "Bearer sk_test_sandbox"}


@pytest.fixture
def post(db, client):
    def post(params=PARAMS, path=PATH, **headers):
        return client.post(path, params, headers={**KEY, **headers})

    return post


def create(purchase_id: UUID, **changes) -> gateway.CheckoutSession:
    customer = Customer.objects.first() or customers.create({"name": "Acme"}, now=timezone.now())
    values = {
        "customer_id": customer.pk,
        "product_name": "500 credits",
        "amount_minor": 1000,
        "currency": "usd",
        "success_url": "https://shop.test/{CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.test/",
    }
    return gateway.create_checkout_session(purchase_id=purchase_id, **{**values, **changes})


def test_the_sdk_creates_and_retrieves(site):
    purchase_id = uuid4()
    session = create(purchase_id)
    assert session.state == gateway.PaymentState.OPEN
    assert (session.amount_total, session.currency) == (1000, "usd")
    assert session.purchase_id == purchase_id
    assert session.url == f"{site}/sandbox/pay/{session.id}/"
    assert gateway.retrieve_checkout_session(session.id) == session
    sessions.expire(session.id, now=timezone.now())
    expired = gateway.retrieve_checkout_session(session.id)
    assert (expired.state, expired.url) == (gateway.PaymentState.EXPIRED, None)


def test_the_sdks_errors_become_the_gateways(site, settings):
    with pytest.raises(gateway.PaymentServiceRefused, match=r"No such checkout\.session"):
        gateway.retrieve_checkout_session("cs_test_nowhere")
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"
    with pytest.raises(gateway.PaymentServiceRefused):
        gateway.retrieve_checkout_session("cs_test_nowhere")
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(gateway.PaymentServiceUnavailable):
        gateway.retrieve_checkout_session("cs_test_nowhere")


def test_the_same_key_gives_the_same_session_and_refuses_another_request(site):
    purchase_id = uuid4()
    assert create(purchase_id) == create(purchase_id)
    assert Session.objects.count() == 1
    with pytest.raises(gateway.PaymentServiceRefused, match="same parameters"):
        create(purchase_id, amount_minor=2000)


def test_a_repetition_is_marked_and_a_refusal_leaves_the_key_free(post):
    key = {"Idempotency-Key": "k1"}
    assert post({**PARAMS, "mode": "setup"}, **key).status_code == 400
    first, second = post(**key), post(**key)
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.json() == second.json()
    assert first.headers["Request-Id"].startswith("req_")
    other = post({**PARAMS, "customer_email": "b@example.com"}, **key)
    assert other.status_code == 400
    assert other.json()["error"]["type"] == "idempotency_error"
    path = f"{PATH}/{first.json()['id']}/expire"
    assert post({}, path, **key).json()["error"]["type"] == "idempotency_error"


def test_a_key_is_forgotten_after_a_day(post):
    first = post(**{"Idempotency-Key": "k1"}).json()
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24))
    assert post(**{"Idempotency-Key": "k1"}).json()["id"] != first["id"]


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"mode": None}, "parameter_missing", "mode"),
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"nonsense": "1"}, "parameter_unknown", "nonsense"),
        ({"line_items[0][nonsense]": "1"}, "parameter_unknown", "line_items[0][nonsense]"),
        (
            {"line_items[0][price_data][currency]": None},
            "parameter_missing",
            "line_items[0][price_data][currency]",
        ),
        (
            {"line_items[0][price_data][unit_amount]": "ten"},
            "parameter_invalid",
            "line_items[0][price_data][unit_amount]",
        ),
        (
            {"line_items[0][price_data][currency]": "zzz"},
            "parameter_invalid",
            "line_items[0][price_data][currency]",
        ),
        ({"line_items[0][price_data][unit_amount]": "49"}, "amount_too_small", "line_items"),
        ({"line_items": "x"}, "parameter_unknown", "line_items"),
        ({"customer_email": "nobody"}, "parameter_invalid", "customer_email"),
        ({"success_url": "ftp://x"}, "parameter_url_invalid", "success_url"),
        ({"metadata[a]": "x" * 501}, "parameter_max_length", "metadata[a]"),
        ({"metadata[a]": "\0"}, "parameter_invalid", "metadata[a]"),
        ({"[": "x"}, "parameter_unknown", "["),
    ],
)
def test_wrong_parameters_are_named_as_stripe_names_them(post, changes, code, param):
    given = {name: value for name, value in {**PARAMS, **changes}.items() if value is not None}
    response = post(given)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
    assert error["message"]
    assert not Session.objects.exists()


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer sk_test_wrong", "Basic x", "Bearer é"])
def test_a_wrong_api_key_is_refused(db, client, header):
    response = client.post(PATH, PARAMS, headers={"Authorization": header})
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_other_methods_and_sessions_are_not_there(post, client):
    assert client.delete(PATH, headers=KEY).status_code == 404
    assert client.get(f"{PATH}/cs_test_1", headers=KEY).status_code == 404
    assert post({}, f"{PATH}/cs_test_1/expire").json()["error"]["code"] == "resource_missing"
    assert client.get("/sandbox/pay/cs_test_1/").status_code == 404
    assert client.post("/sandbox/pay/cs_test_1/", {"card_number": "4242"}).status_code == 404


def test_a_session_lives_for_a_day(post, client):
    session = post().json()
    assert session["expires_at"] - session["created"] == 24 * 60 * 60
    Session.objects.update(expires_at=timezone.now())
    card = {"card_number": "4242424242424242"}
    page = client.post(f"/sandbox/pay/{session['id']}/", card, follow=True)
    assert b"This page has expired" in page.content
    assert client.get(f"{PATH}/{session['id']}", headers=KEY).json()["status"] == "expired"
    assert Event.objects.get().payload["type"] == "checkout.session.expired"


def test_paying_needs_the_pages_own_csrf_token(post):
    session = post().json()
    page = Client(enforce_csrf_checks=True).post(
        f"/sandbox/pay/{session['id']}/", {"card_number": "4242424242424242"}
    )
    assert page.status_code == 403


def test_a_payment_is_told_by_a_webhook_that_stripes_own_code_believes(post, client):
    session = post().json()
    paid = client.post(f"/sandbox/pay/{session['id']}/", {"card_number": "4242424242424242"})
    assert paid.headers["Location"] == f"https://shop.test/done?session={session['id']}"
    event = Event.objects.get()
    assert event.payload["type"] == "checkout.session.completed"
    told = event.payload["data"]["object"]
    assert told == client.get(f"{PATH}/{session['id']}", headers=KEY).json()
    assert (told["payment_status"], told["status"]) == ("paid", "complete")
    assert told["payment_intent"].startswith("pi_")
    body = b'{"id": "evt_1", "object": "event"}'
    stripe.Webhook.construct_event(
        body,
        deliveries.sign(body, now=timezone.now()),
        django_settings.STRIPE_WEBHOOK_SECRET,
    )


def test_a_webhook_is_sent_again_until_it_arrives(site, client, settings, worker, monkeypatch):
    session = create(uuid4())  # Its purchase does not exist, so the webhook cannot be done yet.
    monkeypatch.setattr(tasks, "MAX_RETRIES", 3)
    client.post(f"/sandbox/pay/{session.id}/", {"card_number": "4242424242424242"})
    assert list(Delivery.objects.values_list("status_code", flat=True)) == [500] * 4
    assert StripeEvent.objects.get().attempts == 4
    event = Event.objects.get()
    assert event.delivered_at is None
    settings.BASE_URL = "http://127.0.0.1:9"
    assert not deliveries.deliver(event.pk, now=timezone.now())
    assert Delivery.objects.last().status_code is None


def test_the_sandbox_refuses_to_load_beside_a_real_key():
    program = (
        "import django\n"
        "from django.conf import settings\n"
        "settings.INSTALLED_APPS.append('topups.sandbox')\n"
        "django.setup()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ENV_FILE": "",
            "STRIPE_SECRET_KEY": "sk_test_51realkey",
            "STRIPE_WEBHOOK_SECRET": "whsec_real",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ImproperlyConfigured: STRIPE_SECRET_KEY is set" in done.stderr
