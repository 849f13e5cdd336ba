"""Purchases whose money came, and went back, as Stripe would tell it; no Stripe is asked."""

from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from credits import ledger
from credits.models import Clawback, Grant, Organization, User
from topups import fulfillment, gateway, reversals
from topups.models import Plan, Purchase


def sell(
    organization: Organization | None = None,
    *,
    credits: int = 500,
    paid_minor: int = 10_00,
    currency: str = "usd",
    used: int = 0,
) -> Purchase:
    """A paid purchase, of which so many credits are used; one below $10.00 had a discount."""
    now = timezone.now()
    organization = organization or Organization.objects.create(name="Acme", weekly_credits=0)
    purchase = Purchase.objects.create(
        organization=organization,
        buyer=User.objects.get_or_create(email="buyer@example.com")[0],
        plan=Plan.objects.first(),
        credits=credits,
        amount_minor=max(paid_minor, 10_00),
        currency=currency,
        created_at=now,
        next_check_at=now,
    )
    purchase.refresh_from_db()
    fulfillment.fulfill(purchase.pk, session_of(purchase, paid_minor), now=now)
    if used:
        ledger.spend(organization, "alt-text.generate", quantity=used, now=now)
    purchase.refresh_from_db()
    return purchase


def session_of(purchase: Purchase, paid_minor: int) -> gateway.CheckoutSession:
    return gateway.CheckoutSession(
        id=f"cs_test_{purchase.pk.hex}",
        url=None,
        state=gateway.PaymentState.PAID,
        currency=purchase.currency,
        amount_subtotal=purchase.amount_minor,
        amount_total=paid_minor,
        amount_discount=purchase.amount_minor - paid_minor,
        amount_tax=0,
        purchase_id=purchase.pk,
        payment_intent=f"pi_{purchase.pk.hex}" if paid_minor else "",
    )


def give_back(purchase: Purchase, amount_minor: int) -> None:
    """What Stripe tells of a refund made in its dashboard."""
    now = timezone.now()
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


def dispute(purchase: Purchase, amount_minor: int, status: str = "needs_response") -> None:
    """What Stripe tells of a dispute."""
    now = timezone.now()
    fact = gateway.Dispute(
        id=f"dp_{uuid4().hex}",
        payment_intent=purchase.stripe_payment_intent_id,
        amount_minor=amount_minor,
        currency=purchase.currency,
        status=status,
        reason="fraudulent",
        is_withdrawn=not status.startswith("warning"),
        respond_by=now + timedelta(days=7),
        created_at=now,
        as_of=now,
    )
    reversals.apply_dispute(purchase.pk, fact, now=now)


def standing(purchase: Purchase) -> dict[str, int]:
    """How the credits of a purchase stand."""
    clawback = Clawback.objects.filter(grant__purchase_id=purchase.pk).first() or Clawback(
        revoke_credits=0, revoked_credits=0, collected_credits=0, frozen_credits=0
    )
    return {
        "left": Grant.objects.get(purchase_id=purchase.pk).remaining,
        "taken": clawback.revoked_credits,
        "frozen": clawback.frozen_credits,
        "short": clawback.shortfall,
    }
