"""Stripe's events: recorded once, handled until done."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from topups import fulfillment, gateway
from topups.models import StripeEvent

logger = logging.getLogger(__name__)

# What tells how a session stands (https://docs.stripe.com/checkout/fulfillment).
SESSION_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.expired",
    }
)
FIRST_RETRY_AFTER = timedelta(minutes=1)
MAX_RETRY_AFTER = timedelta(hours=6)
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
    raised.
    """
    try:
        _process(event.pk, now)
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


@transaction.atomic
def _process(pk: int, now: datetime) -> None:
    event = StripeEvent.objects.select_for_update().get(pk=pk)
    if event.is_done:
        return
    event.status = _handle(event, now)
    event.error = ""
    event.attempts += 1
    event.processed_at = now
    event.next_attempt_at = None
    event.save(update_fields=("status", "error", "attempts", "processed_at", "next_attempt_at"))


def _handle(event: StripeEvent, now: datetime) -> StripeEvent.Status:
    if event.type not in SESSION_EVENTS:
        return StripeEvent.Status.IGNORED
    session = gateway.session_of_event(event.payload)
    if session.purchase_id is None:
        return StripeEvent.Status.IGNORED  # Somebody else sells through the same Stripe account.
    fulfillment.fulfill(session.purchase_id, session, now=now)
    return StripeEvent.Status.PROCESSED


def _record_failure(pk: int, error: Exception, now: datetime) -> None:
    with transaction.atomic():
        event = StripeEvent.objects.select_for_update().get(pk=pk)
        if event.is_done:
            return  # Another delivery has finished it meanwhile.
        event.status = StripeEvent.Status.FAILED
        event.error = f"{type(error).__name__}: {error}"
        event.attempts += 1
        event.next_attempt_at = now + _retry_after(event.attempts)
        event.save(update_fields=("status", "error", "attempts", "next_attempt_at"))


def _retry_after(attempts: int) -> timedelta:
    doublings = min(attempts - 1, 10)
    return min(FIRST_RETRY_AFTER * (1 << doublings), MAX_RETRY_AFTER)
