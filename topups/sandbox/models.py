"""What Stripe would keep. It lives in the database so that every process sees the same."""

import secrets
from typing import Any

from django.db import models
from django.db.models import Q


def new_id(prefix: str) -> str:
    """An id in the form of Stripe's, like `evt_1f9a…`."""
    return f"{prefix}_{secrets.token_hex(14)}"


def new_session_id() -> str:
    return new_id("cs_test")


def new_event_id() -> str:
    return new_id("evt")


class Session(models.Model):
    """A Checkout Session (https://docs.stripe.com/api/checkout/sessions/object)."""

    class Status(models.TextChoices):
        OPEN = "open"
        COMPLETE = "complete"
        EXPIRED = "expired"

    class PaymentStatus(models.TextChoices):
        PAID = "paid"
        UNPAID = "unpaid"

    id = models.CharField(primary_key=True, max_length=255, default=new_session_id)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    payment_status = models.CharField(
        max_length=10, choices=PaymentStatus.choices, default=PaymentStatus.UNPAID
    )
    payment_intent = models.CharField(max_length=255, default="")
    amount_total = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    description = models.CharField(max_length=1000)
    customer_email = models.CharField(max_length=512, default="")
    client_reference_id = models.CharField(max_length=200, default="")
    metadata: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    success_url = models.TextField()
    cancel_url = models.TextField(default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=(Q(status="complete") & ~Q(payment_intent=""))
                | (~Q(status="complete") & Q(payment_intent="", payment_status="unpaid")),
                name="session_has_a_payment_exactly_when_complete",
            ),
        )

    def __str__(self) -> str:
        return self.id


class IdempotencyKey(models.Model):
    """The answer to the first request made with a key, given again to its repetitions."""

    key = models.CharField(primary_key=True, max_length=255)
    path = models.TextField()
    params: "models.JSONField[Any, Any]" = models.JSONField()
    answer: "models.JSONField[Any, Any]" = models.JSONField(null=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key


class Event(models.Model):
    """Something that happened, to be delivered to the webhook endpoint."""

    id = models.CharField(primary_key=True, max_length=255, default=new_event_id)
    payload: "models.JSONField[Any, Any]" = models.JSONField()
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class Delivery(models.Model):
    """One attempt to deliver an event, and what the endpoint answered (no status: nothing)."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.TextField(default="")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return f"{self.event_id}: {self.status_code or self.error}"
