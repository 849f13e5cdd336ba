"""What the tests of buying share: a customer, purchases, and events as Stripe signs them."""

import html
import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import stripe
from django.conf import settings
from django.test import Client
from django.utils import timezone

from credits.models import Grant, Organization, User
from topups.models import Plan, Purchase
from topups.sandbox import sessions
from topups.sandbox.models import Session


class Customer(Client):
    """A signed-in member of `organization` in front of the customer pages."""

    def __init__(self, user: User, organization: Organization) -> None:
        super().__init__()
        self.user = user
        self.organization = organization
        self.force_login(user)

    def choose(self, plan: Plan, **fields: str):
        return self.post("/top-up/", {"plan": plan.pk, **fields})

    def buy(self, plan: Plan, card: str = "4242 4242 4242 4242") -> str:
        """Choose a plan and pay for it; the address where Stripe sends the customer then."""
        page = self.choose(plan).headers["Location"]
        paid = self.post(page, {"card_number": card})
        assert paid.status_code == 302, paid.content.decode()
        return paid.headers["Location"]

    def debit(self, plan: Plan) -> Session:
        """Choose a plan and have the bank asked for the money; the session that waits for it."""
        self.choose(plan)
        session = Session.objects.latest("created_at")
        return sessions.pay_by_bank(session.pk, now=timezone.now())


def make_purchase(customer: Customer, plan: Plan, **fields: Any) -> Purchase:
    now = timezone.now()
    values = {
        "plan": plan,
        "organization": customer.organization,
        "buyer": customer.user,
        "credits": plan.credits,
        "amount_minor": 10_00,
        "currency": "usd",
        "created_at": now,
        "next_check_at": now,
    }
    return Purchase.objects.create(**{**values, **fields})


def event_about(purchase_id: object, **changes: Any) -> dict[str, Any]:
    """What Stripe tells when the session of a 500-credit purchase is paid."""
    session = {
        "id": "cs_test_known",
        "object": "checkout.session",
        "amount_subtotal": 10_00,
        "amount_total": 10_00,
        "currency": "usd",
        "metadata": {"purchase_id": str(purchase_id)},
        "payment_intent": "pi_1",
        "payment_status": "paid",
        "status": "complete",
        "url": None,
    }
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "created": int(datetime.now(UTC).timestamp()),
        "type": changes.pop("type", "checkout.session.completed"),
        "data": {"object": {**session, **changes}},
    }


def signed(event: object, *, secret: str | None = None, at: datetime | None = None) -> dict:
    """The arguments of a POST that carries an event as Stripe signs it, by Stripe's own code."""
    body = event if isinstance(event, str) else json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(
        body,
        secret or settings.STRIPE_WEBHOOK_SECRET,
        int((at or datetime.now(UTC)).timestamp()),
    )
    return {
        "data": body,
        "content_type": "application/json",
        "headers": {"Stripe-Signature": signature},
    }


def bought_credits(organization: Organization) -> list[int]:
    """The credits of each grant that was bought."""
    grants = Grant.objects.filter(organization=organization, kind=Grant.Kind.TOP_UP)
    return list(grants.values_list("remaining", flat=True))


def text(response) -> str:
    """What a reader sees, on one line, without the frame that all pages have."""
    page = response.content.decode().partition("<footer")[0]
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


def link(page, words: str) -> str:
    """Where the link of these words leads; fails when there is none."""
    return re.search(rf'href="([^"]*)"[^>]*>{words}<', page.text)[1]


def plan_of(credits: int) -> Plan:
    return Plan.objects.get(credits=credits)
