"""Signed deliveries of events to the webhook endpoint (https://docs.stripe.com/webhooks)."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from topups.sandbox.models import Delivery, Event

TIMEOUT_SECONDS = 20


def deliver(event_id: str, *, now: datetime) -> bool:
    """Send an event, unless it has arrived before, and tell whether it has arrived.

    Any answer but 2xx counts as not arrived. Every attempt is recorded.
    """
    event = Event.objects.get(pk=event_id)
    if event.delivered_at:
        return True
    status_code, error = _post(json.dumps(event.payload).encode(), now)
    Delivery.objects.create(event=event, status_code=status_code, error=error, created_at=now)
    if status_code is None or not 200 <= status_code < 300:
        return False
    event.delivered_at = now
    event.save(update_fields=("delivered_at",))
    return True


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
