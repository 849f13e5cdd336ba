"""Paid, therefore granted."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from credits import ledger
from credits.models import Grant
from topups import notifications
from topups.gateway import CheckoutSession, PaymentState
from topups.models import Purchase, PurchaseStatus

# For `credits.ledger.audit`: each paid purchase has its grant, which is one by a constraint, and
# nothing else was sold.
CHECK = """
    SELECT format('purchase %s is paid for %s credits, its grant has %s',
        coalesce(p.id, g.purchase_id), coalesce(p.credits, 0), coalesce(g.amount, 0))
    FROM (SELECT * FROM topups_purchase WHERE status = 'paid') p
    FULL JOIN (SELECT * FROM credits_grant WHERE kind = 'top_up') g ON g.purchase_id = p.id
    WHERE (g.amount, g.organization_id) IS DISTINCT FROM (p.credits, p.organization_id)
"""
_STATUS = {
    PaymentState.OPEN: Purchase.Status.PENDING,
    PaymentState.EXPIRED: Purchase.Status.EXPIRED,
    PaymentState.PROCESSING: Purchase.Status.PROCESSING,
    PaymentState.FAILED: Purchase.Status.FAILED,
    PaymentState.PAID: Purchase.Status.PAID,
}
_ORDER = Purchase.Status.values


class Unfulfillable(Exception):
    """What Stripe says does not fit the purchase: no credits are given, and a person must look."""


class UnknownPurchase(Unfulfillable):
    """There is no such purchase (yet)."""


class ForeignSession(Unfulfillable):
    """The session belongs to another purchase, or the purchase to another session."""


class WrongAmount(Unfulfillable):
    """The session was paid at another price or currency than the purchase has."""


@transaction.atomic
def fulfill(purchase_id: UUID, session: CheckoutSession, *, now: datetime) -> bool:
    """Bring a purchase to where its session stands, and tell whether that was news.

    A paid session gives the credits, once: whoever comes second finds it done. As a purchase only
    moves forward, old news changes nothing. Raises `Unfulfillable`.

    >>> fulfillment.fulfill(purchase.id, session, now=now)
    True
    """
    purchase = lock(purchase_id)
    _check_belongs(session, purchase)
    status = _STATUS[session.state]
    is_news = _ORDER.index(status) > _ORDER.index(purchase.status)
    if is_news:
        _move_to(status, purchase, session, now)
    is_linked_now = purchase.stripe_session_id is None
    if is_news or is_linked_now:
        purchase.stripe_session_id = session.id
        purchase.save()
    return is_news or is_linked_now


def lock(purchase_id: UUID) -> Purchase:
    """The purchase, locked until the transaction ends. Raises `UnknownPurchase`."""
    purchase = (
        Purchase.objects.select_for_update(of=("self",))
        .select_related("organization", "buyer")
        .filter(pk=purchase_id)
        .first()
    )
    if purchase is None:
        raise UnknownPurchase(f"There is no purchase {purchase_id}.")
    return purchase


def _check_belongs(session: CheckoutSession, purchase: Purchase) -> None:
    # The session may be news: the payment can be quicker than the answer that names it.
    if session.purchase_id != purchase.pk or purchase.stripe_session_id not in (None, session.id):
        raise ForeignSession(f"Session {session.id} does not belong to purchase {purchase.pk}.")


def _check_price(session: CheckoutSession, purchase: Purchase) -> None:
    """Before discount and tax, which are Stripe's to compute, the price is the one we asked for."""
    asked = (session.amount_subtotal, session.currency)
    expected = (purchase.amount_minor, purchase.currency)
    if asked != expected or session.amount_total is None:
        raise WrongAmount(
            f"Session {session.id} asks for {asked[0]} {asked[1]} and {session.amount_total} in "
            f"total, but purchase {purchase.pk} for {expected[0]} {expected[1]}."
        )


def _move_to(
    status: PurchaseStatus, purchase: Purchase, session: CheckoutSession, now: datetime
) -> None:
    purchase.status = status
    purchase.next_check_at = None if purchase.is_decided else now
    if status == Purchase.Status.PAID:
        _check_price(session, purchase)
        _pay(purchase, session, now)
    elif status == Purchase.Status.FAILED:
        notifications.payment_failed(purchase, now=now)


def _pay(purchase: Purchase, session: CheckoutSession, now: datetime) -> None:
    purchase.paid_at = now
    purchase.paid_minor = session.amount_total
    purchase.discount_minor = session.amount_discount
    purchase.tax_minor = session.amount_tax
    purchase.stripe_payment_intent_id = session.payment_intent
    ledger.grant(
        purchase.organization,
        purchase.credits,
        kind=Grant.Kind.TOP_UP,
        purchase_id=purchase.pk,
        now=now,
        reason=f"Purchase {purchase.pk}",
    )
    notifications.receipt(purchase, now=now)
