"""Sales and refunds at chosen moments, for tests of finance's months."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from credits import ledger, totals
from credits.models import Organization, User
from tests.topups.sold import session_of
from topups import fulfillment, gateway, month_totals, reversals
from topups.models import Plan, Purchase

OCTOBER = datetime(2026, 10, 12, 9, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 3, 15, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, 2, tzinfo=UTC)
ACTION = "alt-text.generate"


def sell_at(
    now: datetime,
    organization: Organization,
    *,
    credits: int = 300,
    list_minor: int = 12_00,
    discount_minor: int = 2_00,
    tax_minor: int = 1_90,
    currency: str = "usd",
) -> Purchase:
    """Paid and granted; without more words at $12.00 less $2.00 discount plus $1.90 tax."""
    purchase = Purchase.objects.create(
        organization=organization,
        buyer=User.objects.get_or_create(email="buyer@example.com")[0],
        plan=Plan.objects.first(),
        credits=credits,
        amount_minor=list_minor,
        currency=currency,
        created_at=now,
        next_check_at=now,
    )
    session = session_of(purchase, list_minor - discount_minor + tax_minor)
    session = replace(session, amount_discount=discount_minor, amount_tax=tax_minor)
    fulfillment.fulfill(purchase.pk, session, now=now)
    purchase.refresh_from_db()
    return purchase


def refund_at(now: datetime, purchase: Purchase, amount_minor: int) -> gateway.Refund:
    """What Stripe tells of a refund at this moment."""
    fact = gateway.Refund(
        id=f"re_{uuid4().hex}",
        payment_intent=purchase.stripe_payment_intent_id,
        amount_minor=amount_minor,
        currency=purchase.currency,
        failure_reason="",
        status="succeeded",
        request_id=None,
        created_at=now,
        as_of=now,
    )
    reversals.apply_refund(purchase.pk, fact, now=now)
    return fact


def dispute_at(now: datetime, purchase: Purchase, amount_minor: int) -> None:
    """What Stripe tells of a dispute that begins at this moment."""
    fact = gateway.Dispute(
        id=f"dp_{uuid4().hex}",
        payment_intent=purchase.stripe_payment_intent_id,
        amount_minor=amount_minor,
        currency=purchase.currency,
        status="needs_response",
        reason="fraudulent",
        is_withdrawn=True,
        respond_by=None,
        created_at=now,
        as_of=now,
    )
    reversals.apply_dispute(purchase.pk, fact, now=now)


def roll_up(now: datetime) -> None:
    totals.roll_up(now=now)
    month_totals.roll_up()


def tell_the_example() -> Purchase:
    """The example of docs/finance.md, up to the first minutes of December."""
    acme = Organization.objects.create(name="Acme", weekly_credits=0)
    purchase = sell_at(OCTOBER, acme)
    ledger.spend(acme, ACTION, quantity=100, now=OCTOBER)
    ledger.spend(acme, ACTION, quantity=100, now=NOVEMBER)
    refund_at(NOVEMBER, purchase, 5_95)
    roll_up(DECEMBER)
    return purchase
