"""Starting a purchase, going on with one, and asking Stripe what became of it."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from credits.counting import counted
from credits.models import Organization, User, Wording
from topups import billing, fulfillment, gateway, notifications
from topups.models import Price, Purchase

logger = logging.getLogger(__name__)

# A customer who pays is back within minutes; the sweep asks Stripe about those who are not, after
# twice the time each time.
FIRST_CHECK_AFTER = timedelta(minutes=10)
MAX_CHECK_AFTER = timedelta(hours=6)
# Stripe's sessions live for a day, and so does the hope for one we never heard of.
SESSION_LIFETIME = timedelta(hours=24)
CHECKS_AT_ONCE = 100


def start(price: Price, organization: Organization, buyer: User, *, now: datetime) -> str:
    """Begin to buy a plan at its `price` and return the address of the page where the buyer pays.

    While a buyer's checkout of the same offer is open, it is that one: two clicks are one checkout.
    The purchase is committed before Stripe is called, so a payment always finds it. Raises
    `gateway.GatewayError`.

    >>> checkout.start(price, acme, user, now=now)
    'https://checkout.stripe.com/c/pay/cs_test_…'
    """
    # What is found first may have been paid or expired at Stripe without our knowing.
    found = resume(_open_purchase(price, organization, buyer, now), now=now)
    url = found or resume(_open_purchase(price, organization, buyer, now), now=now)
    if url is None:
        raise gateway.PaymentServiceUnavailable("Stripe ended a new checkout at once.")
    return url


def resume(purchase: Purchase, *, now: datetime) -> str | None:
    """The address where a purchase can still be paid; None when it is too late, or done.

    Makes the page if there is none. When Stripe does not make it, the purchase expires at once, for
    nobody has the address; while Stripe is unavailable we cannot know what it did, so the purchase
    stays pending, unpaid, until the sweep lets it expire. Raises `gateway.GatewayError`.
    """
    if purchase.status != Purchase.Status.PENDING:
        return None
    if purchase.stripe_session_id is not None:
        session = _look_up(purchase, purchase.stripe_session_id, now)
        return session.url if session and session.state == gateway.PaymentState.OPEN else None
    if now - purchase.created_at >= SESSION_LIFETIME:
        _expire(purchase)
        return None
    try:
        return _open_session(purchase, now)
    except (gateway.PaymentServiceRefused, gateway.PaymentServiceFailed):
        _expire(purchase)
        raise


def _open_session(purchase: Purchase, now: datetime) -> str | None:
    customer_id = billing.customer_of(purchase)
    try:
        session = _create_session(purchase, customer_id)
    except gateway.UnknownCustomer:
        session = _create_session(purchase, billing.customer_of(purchase, gone=customer_id))
    # A webhook may have been quicker, or another click with another customer: the first counts.
    Purchase.objects.filter(pk=purchase.pk, stripe_session_id=None).update(
        stripe_session_id=session.id
    )
    purchase.refresh_from_db()
    return session.url if purchase.stripe_session_id == session.id else resume(purchase, now=now)


def _create_session(purchase: Purchase, customer_id: str) -> gateway.CheckoutSession:
    return gateway.create_checkout_session(
        purchase_id=purchase.pk,
        customer_id=customer_id,
        product_name=counted(purchase.credits, Wording.current().credits_name),
        amount_minor=purchase.amount_minor,
        currency=purchase.currency,
        # Stripe fills in the braces (https://docs.stripe.com/payments/checkout/custom-success-page).
        success_url=_absolute("top-up-return") + "?session_id={CHECKOUT_SESSION_ID}",
        cancel_url=_absolute("top-up-canceled", purchase.pk),
    )


@transaction.atomic(durable=True)
def _open_purchase(
    price: Price, organization: Organization, buyer: User, now: datetime
) -> Purchase:
    """The buyer's open purchase of this offer, or a new one."""
    purchase, _ = Purchase.objects.get_or_create(
        plan=price.plan,
        organization=organization,
        buyer=buyer,
        credits=price.plan.credits,
        amount_minor=price.amount_minor,
        currency=price.currency,
        status=Purchase.Status.PENDING,
        defaults={"created_at": now, "next_check_at": now + FIRST_CHECK_AFTER},
    )
    return purchase


def check(purchase: Purchase, *, now: datetime) -> Purchase:
    """Ask Stripe how a purchase's session stands and bring the purchase there.

    A purchase that never got a session expires when it is a day old, and one whose session Stripe
    does not know at once. Raises
    `gateway.GatewayError` or `fulfillment.Unfulfillable`.
    """
    if purchase.is_decided:
        return purchase
    if purchase.stripe_session_id is not None:
        _look_up(purchase, purchase.stripe_session_id, now)
    elif now - purchase.created_at >= SESSION_LIFETIME:
        _expire(purchase)
    purchase.refresh_from_db()
    return purchase


def _look_up(purchase: Purchase, session_id: str, now: datetime) -> gateway.CheckoutSession | None:
    """The session, after its purchase was brought to where it stands; None when it is unknown.

    Stripe does not know it when our key is of another account now: it cannot be paid here any more.
    """
    try:
        session = gateway.retrieve_checkout_session(session_id)
    except gateway.UnknownSession:
        logger.exception("The session of purchase %s is gone", purchase.pk)
        _expire(purchase)
        return None
    fulfillment.fulfill(purchase.pk, session, now=now)
    return session


def _expire(purchase: Purchase) -> None:
    """End a purchase that cannot be paid, unless a session was heard of meanwhile."""
    Purchase.objects.filter(
        pk=purchase.pk,
        status=Purchase.Status.PENDING,
        stripe_session_id=purchase.stripe_session_id,
    ).update(status=Purchase.Status.EXPIRED, next_check_at=None)


def check_due(*, now: datetime) -> None:
    """Check the undecided purchases whose time has come, up to `CHECKS_AT_ONCE`.

    One that fails is kept with its error and does not stop the others; while Stripe is unavailable,
    all wait.
    """
    due = Purchase.objects.filter(next_check_at__lte=now).order_by("next_check_at")
    for purchase in due[:CHECKS_AT_ONCE]:
        _postpone(purchase, now)
        try:
            check(purchase, now=now)
            _record_success(purchase)
        except gateway.PaymentServiceUnavailable as error:
            logger.warning("Stripe is unavailable, purchases are checked later: %s", error)
            return
        except Exception as error:
            logger.exception("Checking purchase %s failed", purchase.pk)
            _record_failure(purchase, error, now)


def _postpone(purchase: Purchase, now: datetime) -> None:
    age = max(now - purchase.created_at, FIRST_CHECK_AFTER)
    _undecided(purchase).update(next_check_at=now + min(age, MAX_CHECK_AFTER))


def _record_failure(purchase: Purchase, error: Exception, now: datetime) -> None:
    failed_checks, text = purchase.failed_checks + 1, f"{type(error).__name__}: {error}"
    _undecided(purchase).update(failed_checks=failed_checks, check_error=text)
    notifications.alert_failing(purchase, failed_checks, text, now=now)


def _record_success(purchase: Purchase) -> None:
    failed = Purchase.objects.filter(pk=purchase.pk, failed_checks__gt=0)
    failed.update(failed_checks=0, check_error="")


def _undecided(purchase: Purchase) -> QuerySet[Purchase]:
    return Purchase.objects.filter(pk=purchase.pk, status__in=Purchase.UNDECIDED)


def _absolute(url_name: str, *arguments: UUID) -> str:
    return f"{settings.BASE_URL}{reverse(url_name, args=arguments)}"
