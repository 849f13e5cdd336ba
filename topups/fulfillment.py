"""Paid, therefore granted."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from credits import ledger
from credits.models import Grant
from topups.gateway import CheckoutSession
from topups.models import Purchase

# For `credits.ledger.audit`: each paid purchase has its grant, which is one by a constraint, and
# nothing else was sold.
CHECK = """
    SELECT format('purchase %s is paid for %s credits, its grant has %s',
        coalesce(p.id, g.purchase_id), coalesce(p.credits, 0), coalesce(g.amount, 0))
    FROM (SELECT * FROM topups_purchase WHERE status = 'paid') p
    FULL JOIN (SELECT * FROM credits_grant WHERE kind = 'top_up') g ON g.purchase_id = p.id
    WHERE (g.amount, g.organization_id) IS DISTINCT FROM (p.credits, p.organization_id)
"""


class Unfulfillable(Exception):
    """What Stripe says does not fit the purchase: no credits are given, and a person must look."""


class UnknownPurchase(Unfulfillable):
    """There is no such purchase (yet)."""


class ForeignSession(Unfulfillable):
    """The session belongs to another purchase, or the purchase to another session."""


class WrongAmount(Unfulfillable):
    """Another amount or currency was paid than the purchase asks for."""


@transaction.atomic
def fulfill(purchase_id: UUID, session: CheckoutSession, *, now: datetime) -> Purchase:
    """Bring a purchase to where its session stands, and return it.

    A paid session gives the credits, once: whoever comes second finds it done. An expired one
    makes the purchase expired, and an open or unpaid one changes nothing. Raises `Unfulfillable`.

    >>> fulfillment.fulfill(purchase.id, session, now=now).status
    'paid'
    """
    purchase = _locked(purchase_id)
    _check_belongs(session, purchase)
    if purchase.is_paid:
        return purchase
    if session.is_paid:
        _check_amount(session, purchase)
        _grant(purchase, session, now)
    elif session.is_expired:
        purchase.status = Purchase.Status.EXPIRED
        purchase.next_check_at = None
    purchase.stripe_session_id = session.id
    purchase.save(
        update_fields=(
            "status",
            "paid_at",
            "next_check_at",
            "stripe_session_id",
            "stripe_payment_intent_id",
        )
    )
    return purchase


def _locked(purchase_id: UUID) -> Purchase:
    purchase = (
        Purchase.objects.select_for_update(of=("self",))
        .select_related("organization")
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


def _check_amount(session: CheckoutSession, purchase: Purchase) -> None:
    paid = (session.amount_total, session.currency)
    expected = (purchase.amount_minor, purchase.currency)
    if paid != expected:
        raise WrongAmount(
            f"Session {session.id} is paid with {paid[0]} {paid[1]}, but purchase {purchase.pk} "
            f"asks for {expected[0]} {expected[1]}."
        )


def _grant(purchase: Purchase, session: CheckoutSession, now: datetime) -> None:
    ledger.grant(
        purchase.organization,
        purchase.credits,
        kind=Grant.Kind.TOP_UP,
        purchase_id=purchase.pk,
        now=now,
        reason=f"Purchase {purchase.pk}",
    )
    purchase.status = Purchase.Status.PAID
    purchase.paid_at = now
    purchase.next_check_at = None
    purchase.stripe_payment_intent_id = session.payment_intent
