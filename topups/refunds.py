"""Giving money back: asked for by staff, done by Stripe, finished by the sweep after a crash."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from credits.models import Grant, User
from credits.retries import retry_after
from topups import fulfillment, gateway, notifications, reversals
from topups.models import PaymentRefund, Purchase
from topups.money import format_amount

logger = logging.getLogger(__name__)

FIRST_RETRY_AFTER = timedelta(minutes=1)
RETRIES_AT_ONCE = 100


class NotRefundable(Exception):
    """The purchase cannot give so much back; the message says why and what can."""


@dataclass(frozen=True)
class Preview:
    """What a refund would do: so many credits taken back, and so many that were used already."""

    credits: int
    taken: int

    @property
    def used(self) -> int:
        return self.credits - self.taken


def refundable_minor(purchase: Purchase) -> int:
    """How much of a purchase can still be given back, in its currency's smallest unit."""
    gone = reversals.money_gone(purchase) + reversals.money_unsure(purchase)
    return max((purchase.paid_minor or 0) - gone, 0)


def preview(purchase: Purchase, amount_minor: int) -> Preview:
    """What refunding so much now would do to the credits."""
    gone = reversals.money_gone(purchase) + reversals.money_unsure(purchase)
    credits = reversals.share(purchase, gone + amount_minor) - reversals.share(purchase, gone)
    remaining = Grant.objects.get(purchase_id=purchase.pk).remaining
    return Preview(credits, taken=min(credits, remaining))


@transaction.atomic
def request(
    purchase: Purchase,
    amount_minor: int,
    *,
    reason: str,
    actor: User,
    request_id: UUID,
    now: datetime,
) -> PaymentRefund:
    """Decide to give money back: its credits are frozen at once, and `send` does the rest.

    The same `request_id` decides once. Raises `NotRefundable` for less than 1 or more than is left.

    >>> refunds.send(refunds.request(purchase, 500, reason="Bought twice", …), now=now).status
    'succeeded'
    """
    purchase = fulfillment.lock(purchase.pk)
    if decided := purchase.refunds.filter(pk=request_id).first():
        return decided
    if not 1 <= amount_minor <= refundable_minor(purchase):
        raise NotRefundable(
            f"At most {format_amount(refundable_minor(purchase), purchase.currency)} "
            "can be given back."
        )
    refund = PaymentRefund.objects.create(
        pk=request_id,
        purchase=purchase,
        amount_minor=amount_minor,
        status=PaymentRefund.Status.REQUESTED,
        requested_by=actor,
        reason=reason,
        created_at=now,
        next_attempt_at=now + FIRST_RETRY_AFTER,
    )
    note = f"Refund of {refund.amount} requested: {reason}"
    reversals.settle(purchase, reason=note, actor=actor, now=now)
    return refund


def send(refund: PaymentRefund, *, now: datetime) -> PaymentRefund:
    """Have Stripe do a requested refund, once however often this is called; the refund after it.

    While Stripe is unavailable it stays requested, and the sweep tries again; when Stripe refuses,
    its credits are free again. Must not be called in a transaction.
    """
    if not refund.is_requested:
        return refund
    try:
        fact = _done_before(refund) or gateway.create_refund(
            request_id=refund.pk,
            payment_intent=refund.purchase.stripe_payment_intent_id,
            amount_minor=refund.amount_minor,
        )
        reversals.apply_refund(refund.purchase_id, fact, now=now)
    except gateway.PaymentServiceRefused as error:
        _refuse(refund, str(error), now)
    except Exception as error:
        logger.exception("Refund %s failed", refund.pk)
        _record_failure(refund, f"{type(error).__name__}: {error}", now)
    refund.refresh_from_db()
    return refund


def send_due(*, now: datetime) -> None:
    """Try the requested refunds whose time has come again, up to `RETRIES_AT_ONCE`."""
    due = PaymentRefund.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at")
    for refund in due.select_related("purchase")[:RETRIES_AT_ONCE]:
        try:
            send(refund, now=now)
        except Exception:
            logger.exception("Refund %s could not be sent", refund.pk)


def _done_before(refund: PaymentRefund) -> gateway.Refund | None:
    """The refund if Stripe made it and we never heard so: it forgets our keys after a day."""
    found = gateway.list_refunds(payment_intent=refund.purchase.stripe_payment_intent_id)
    return next((fact for fact in found if fact.request_id == refund.pk), None)


@transaction.atomic
def _refuse(refund: PaymentRefund, error: str, now: datetime) -> None:
    purchase = fulfillment.lock(refund.purchase_id)
    refused = _requested(refund).update(
        status=PaymentRefund.Status.REFUSED, error=error, next_attempt_at=None
    )
    if refused:
        reversals.settle(purchase, reason=f"Refund of {refund.amount} refused by Stripe", now=now)


def _record_failure(refund: PaymentRefund, error: str, now: datetime) -> None:
    attempts = refund.attempts + 1
    next_attempt_at = now + retry_after(attempts, first=FIRST_RETRY_AFTER)
    _requested(refund).update(error=error, attempts=attempts, next_attempt_at=next_attempt_at)
    notifications.alert_failing(refund, attempts, error, now=now)


def _requested(refund: PaymentRefund) -> QuerySet[PaymentRefund]:
    return PaymentRefund.objects.filter(pk=refund.pk, status=PaymentRefund.Status.REQUESTED)
