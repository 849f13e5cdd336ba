"""Starting a purchase, and asking Stripe what became of it."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from credits.counting import counted
from credits.models import Organization, User, Wording
from topups import fulfillment, gateway
from topups.models import Plan, Purchase

logger = logging.getLogger(__name__)

# A customer who pays is back within minutes; the sweep asks Stripe about those who are not, after
# twice the time each time.
FIRST_CHECK_AFTER = timedelta(minutes=10)
MAX_CHECK_AFTER = timedelta(hours=6)
# Stripe's sessions live for a day, and so does the hope for one we never heard of.
SESSION_LIFETIME = timedelta(hours=24)
CHECKS_AT_ONCE = 100


def start(plan: Plan, organization: Organization, buyer: User, *, now: datetime) -> str:
    """Begin to buy `plan` and return the address of the page where the buyer pays.

    The purchase is committed before Stripe is called, so a payment always finds it. It expires at
    once when Stripe refuses. When Stripe is unavailable we cannot know what it did, so it stays
    pending, unpaid, until the sweep lets it expire. Raises `gateway.GatewayError`.

    >>> checkout.start(plan, acme, user, now=now)
    'https://checkout.stripe.com/c/pay/cs_test_…'
    """
    purchase = _record(plan, organization, buyer, now)
    try:
        return _open_session(purchase)
    except gateway.PaymentServiceRefused:
        _expire(purchase)
        raise


def _open_session(purchase: Purchase) -> str:
    session = gateway.create_checkout_session(
        purchase_id=purchase.pk,
        product_name=counted(purchase.credits, Wording.current().credits_name),
        amount_minor=purchase.amount_minor,
        currency=purchase.currency,
        customer_email=purchase.buyer.email,
        # Stripe fills in the braces (https://docs.stripe.com/payments/checkout/custom-success-page).
        success_url=_absolute("top-up-return") + "?session_id={CHECKOUT_SESSION_ID}",
        cancel_url=_absolute("top-up-canceled"),
    )
    if not session.url:
        raise gateway.PaymentServiceRefused(f"Checkout Session {session.id} has no page.")
    # A webhook may have been quicker and saved the session already.
    Purchase.objects.filter(pk=purchase.pk, stripe_session_id=None).update(
        stripe_session_id=session.id
    )
    return session.url


@transaction.atomic(durable=True)
def _record(plan: Plan, organization: Organization, buyer: User, now: datetime) -> Purchase:
    return Purchase.objects.create(
        plan=plan,
        organization=organization,
        buyer=buyer,
        credits=plan.credits,
        amount_minor=plan.amount_minor,
        currency=plan.currency,
        created_at=now,
        next_check_at=now + FIRST_CHECK_AFTER,
    )


def check(purchase: Purchase, *, now: datetime) -> Purchase:
    """Ask Stripe how a purchase's session stands and bring the purchase there.

    A purchase that never got a session expires when it is a day old. Raises
    `gateway.GatewayError` or `fulfillment.Unfulfillable`.
    """
    if purchase.is_paid:
        return purchase
    if purchase.stripe_session_id is not None:
        session = gateway.retrieve_checkout_session(purchase.stripe_session_id)
        return fulfillment.fulfill(purchase.pk, session, now=now)
    if now - purchase.created_at >= SESSION_LIFETIME:
        _expire(purchase)
        purchase.refresh_from_db()
    return purchase


def _expire(purchase: Purchase) -> None:
    """End a purchase that has no session, unless one was heard of meanwhile."""
    Purchase.objects.filter(
        pk=purchase.pk, status=Purchase.Status.PENDING, stripe_session_id=None
    ).update(status=Purchase.Status.EXPIRED, next_check_at=None)


def check_due(*, now: datetime) -> None:
    """Check the pending purchases whose time has come, up to `CHECKS_AT_ONCE`.

    One that fails is logged and does not stop the others; while Stripe is unavailable, all wait.
    """
    due = Purchase.objects.filter(next_check_at__lte=now).order_by("next_check_at")
    for purchase in due[:CHECKS_AT_ONCE]:
        _postpone(purchase, now)
        try:
            check(purchase, now=now)
        except gateway.PaymentServiceUnavailable as error:
            logger.warning("Stripe is unavailable, purchases are checked later: %s", error)
            return
        except Exception:
            logger.exception("Checking purchase %s failed", purchase.pk)


def _postpone(purchase: Purchase, now: datetime) -> None:
    age = max(now - purchase.created_at, FIRST_CHECK_AFTER)
    Purchase.objects.filter(pk=purchase.pk, status=Purchase.Status.PENDING).update(
        next_check_at=now + min(age, MAX_CHECK_AFTER)
    )


def _absolute(url_name: str) -> str:
    return f"{settings.BASE_URL}{reverse(url_name)}"
