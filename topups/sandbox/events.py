"""What happens at the sandbox is told to the webhook endpoint."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from topups.sandbox import tasks
from topups.sandbox.models import Event, new_event_id

# What the endpoint is subscribed to (https://docs.stripe.com/api/events/types).
SUBSCRIBED = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
)


def emit(event_type: str, about: dict[str, Any], *, now: datetime) -> None:
    """Record an event about an object in its JSON form, and deliver it once this is committed."""
    assert event_type in SUBSCRIBED, event_type
    event_id = new_event_id()
    payload = {
        "id": event_id,
        "object": "event",
        "api_version": settings.STRIPE_API_VERSION,
        "created": int(now.timestamp()),
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
    }
    Event.objects.create(pk=event_id, payload=payload, created_at=now)
    send(event_id)


def send(event_id: str, *, again: bool = False) -> None:
    """Have an event delivered once all is committed; `again` even if it has arrived before."""
    # Robust: as at Stripe, a payment is a payment also when its event cannot be sent. Django logs
    # the error by the function's name, which a partial has not.
    transaction.on_commit(lambda: _queue(event_id, again), robust=True)


def _queue(event_id: str, again: bool) -> None:
    tasks.deliver.delay(event_id, again=again)
