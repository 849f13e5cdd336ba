"""Stripe's events: recorded once, handled until done."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from credits.retries import retry_after
from topups import fulfillment, gateway, notifications, reversals
from topups.models import StripeEvent

logger = logging.getLogger(__name__)

FIRST_RETRY_AFTER = timedelta(minutes=1)
RETRIES_AT_ONCE = 100


def record(event: gateway.WebhookEvent, *, now: datetime) -> StripeEvent:
    """Keep a verified event, unless it is here already, and return the one kept."""
    StripeEvent.objects.bulk_create(
        [
            StripeEvent(
                event_id=event.id,
                type=event.type,
                payload=event.payload,
                received_at=now,
                next_attempt_at=now + FIRST_RETRY_AFTER,
            )
        ],
        ignore_conflicts=True,
    )
    return StripeEvent.objects.get(event_id=event.id)


def record_rejected(reason: str, *, now: datetime) -> None:
    """Note a delivery that was not believed, once per reason and minute."""
    StripeEvent.objects.bulk_create(
        [
            StripeEvent(
                status=StripeEvent.Status.REJECTED,
                error=reason,
                received_at=now.replace(second=0, microsecond=0),
            )
        ],
        ignore_conflicts=True,
    )


def process(event: StripeEvent, *, now: datetime) -> bool:
    """Do what a recorded event asks for, and tell whether it is done, now or before.

    What goes wrong is kept on the event, which then is `failed` and due again later; nothing is
    raised. Staff are told when it has failed `notifications.ALERT_AFTER` times.
    """
    try:
        if not event.is_done:
            _process(event, now)
    except Exception as error:
        logger.exception("Stripe event %s failed", event.event_id)
        _record_failure(event.pk, error, now)
    event.refresh_from_db()
    return event.is_done


def process_due(*, now: datetime) -> None:
    """Try the unfinished events whose time has come again, up to `RETRIES_AT_ONCE`."""
    due = StripeEvent.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at")
    for event in due[:RETRIES_AT_ONCE]:
        process(event, now=now)


def apply(fact: gateway.Fact, *, now: datetime) -> bool:
    """Take in what Stripe told when asked; whether it was news about a purchase of ours.

    Asks Stripe which purchase a payment is of that is not known yet, so call it outside a
    transaction. Raises `gateway.GatewayError` or `fulfillment.Unfulfillable`.
    """
    purchase_id = purchase_of(fact, now=now)
    return purchase_id is not None and _apply(fact, purchase_id, now)


def purchase_of(fact: gateway.Fact, *, now: datetime) -> UUID | None:
    """The purchase a fact is about; None when others use the same Stripe account.

    Refunds and disputes name a payment. Is it news to us, its session is looked up and taken in
    first, so that they always find a paid purchase.
    """
    if isinstance(fact, gateway.CheckoutSession):
        return fact.purchase_id
    if not fact.payment_intent:
        return None
    if known := reversals.purchase_paid_by(fact.payment_intent):
        return known
    session = gateway.session_of_payment(fact.payment_intent)
    if session is None or session.purchase_id is None:
        return None
    fulfillment.fulfill(session.purchase_id, session, now=now)
    return session.purchase_id


def _process(event: StripeEvent, now: datetime) -> None:
    fact = gateway.fact_of(event.payload)
    purchase_id = purchase_of(fact, now=now) if fact else None
    with transaction.atomic():
        event = StripeEvent.objects.select_for_update().get(pk=event.pk)
        if event.is_done:
            return
        event.status = StripeEvent.Status.IGNORED
        if fact and purchase_id:
            _apply(fact, purchase_id, now)
            event.status = StripeEvent.Status.PROCESSED
        event.error = ""
        event.attempts += 1
        event.processed_at = now
        event.next_attempt_at = None
        event.save(update_fields=("status", "error", "attempts", "processed_at", "next_attempt_at"))


def _apply(fact: gateway.Fact, purchase_id: UUID, now: datetime) -> bool:
    match fact:
        case gateway.CheckoutSession():
            return fulfillment.fulfill(purchase_id, fact, now=now)
        case gateway.Refund():
            return reversals.apply_refund(purchase_id, fact, now=now)
        case gateway.Dispute():
            return reversals.apply_dispute(purchase_id, fact, now=now)


def _record_failure(pk: int, error: Exception, now: datetime) -> None:
    with transaction.atomic():
        event = StripeEvent.objects.select_for_update().get(pk=pk)
        if event.is_done:
            return  # Another delivery has finished it meanwhile.
        event.status = StripeEvent.Status.FAILED
        event.error = f"{type(error).__name__}: {error}"
        event.attempts += 1
        event.next_attempt_at = now + retry_after(event.attempts, first=FIRST_RETRY_AFTER)
        event.save(update_fields=("status", "error", "attempts", "next_attempt_at"))
        notifications.alert_failing(event, event.attempts, event.error, now=now)
