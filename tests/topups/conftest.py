from collections.abc import Callable
from typing import Any

import pytest
import stripe
from buying import Customer, make_purchase, signed
from django.test import Client
from sandbox_shop import Shop

from credits.models import Membership, Organization, User
from topups.models import Plan, Purchase


@pytest.fixture
def make_customer(db: None) -> Callable[..., Customer]:
    def make_customer(name: str, organization: Organization | None = None) -> Customer:
        organization = organization or Organization.objects.create(name=name.capitalize())
        user = User.objects.create_user(f"{name}@example.com")
        Membership.objects.create(organization=organization, user=user)
        return Customer(user, organization)

    return make_customer


@pytest.fixture
def customer(make_customer: Callable[..., Customer]) -> Customer:
    return make_customer("acme")


@pytest.fixture
def plan(db: None) -> Plan:
    return Plan.objects.get(credits=500)


@pytest.fixture
def pending(customer: Customer, plan: Plan) -> Purchase:
    """A purchase whose customer is on Stripe's page."""
    return make_purchase(customer, plan, stripe_session_id="cs_test_known")


@pytest.fixture
def deliver(client: Client) -> Callable[..., int]:
    """Sends an event to the webhook and returns the status it answers."""

    def deliver(event: object, **signing: Any) -> int:
        client.raise_request_exception = False
        return client.post("/stripe/webhook/", **signed(event, **signing)).status_code

    return deliver


@pytest.fixture
def shop(site: str) -> Shop:
    """Stripe's own client in front of the sandbox."""
    return Shop(stripe.StripeClient("sk_test_sandbox", base_addresses={"api": f"{site}/sandbox"}))
