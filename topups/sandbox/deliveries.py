"""Signed deliveries of events to the webhook endpoint (https://docs.stripe.com/webhooks)."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from topups.sandbox.models import Delivery, Event, Switch

TIMEOUT_SECONDS = 20


def deliver(event_id: str, *, now: datetime, again: bool = False) -> bool:
    """Send an event and tell whether that is the end of it.

    It is when the event arrives, has arrived or was dropped before, and while deliveries are held
    back, as it is sent when they are released. `again` sends it all the same. Any answer but 2xx
    counts as not arrived. Every attempt is recorded.
    """
    event = Event.objects.get(pk=event_id)
    if not again and (event.delivered_at or event.dropped_at or are_held()):
        return True
    status_code, error = _post(json.dumps(event.payload).encode(), now)
    Delivery.objects.create(event=event, status_code=status_code, error=error, created_at=now)
    if status_code is None or not 200 <= status_code < 300:
        return False
    Event.objects.filter(pk=event_id).update(delivered_at=now, dropped_at=None)
    return True


def are_held() -> bool:
    return Switch.objects.filter(holds_deliveries=True).exists()


def hold() -> None:
    """Send nothing until further notice, as if the endpoint could not be reached."""
    Switch.objects.update_or_create(pk=1, defaults={"holds_deliveries": True})


def release() -> list[str]:
    """Send from now on, and return the ids of the events that waited, oldest first."""
    Switch.objects.update_or_create(pk=1, defaults={"holds_deliveries": False})
    return list(waiting().order_by("created_at", "pk").values_list("pk", flat=True))


def drop(*, now: datetime) -> int:
    """Lose all events that wait, as a Stripe that has given up; how many these are."""
    return waiting().update(dropped_at=now)


def waiting() -> "QuerySet[Event]":
    """The events that have neither arrived nor been given up."""
    return Event.objects.filter(delivered_at=None, dropped_at=None)


def sign(body: bytes, *, now: datetime) -> str:
    """The `Stripe-Signature` of a body (https://docs.stripe.com/webhooks/signature)."""
    timestamp = int(now.timestamp())
    signed = f"{timestamp}.".encode() + body
    secret = settings.STRIPE_WEBHOOK_SECRET.encode()
    return f"t={timestamp},v1={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"


def _post(body: bytes, now: datetime) -> tuple[int | None, str]:
    """The status the endpoint answered with, or None and what kept it from answering."""
    request = urllib.request.Request(  # noqa: S310 - the address is our own setting
        settings.BASE_URL + reverse("stripe-webhook"),
        data=body,
        headers={"Content-Type": "application/json", "Stripe-Signature": sign(body, now=now)},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return response.status, ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(1000).decode(errors="replace")
    except OSError as error:
        return None, str(error)
