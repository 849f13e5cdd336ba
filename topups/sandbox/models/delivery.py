"""Answers and events: what the outside was or will be told."""

from typing import Any

from django.db import models
from django.db.models import Q

from topups.sandbox.models import ids


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

    id = models.CharField(primary_key=True, max_length=255, default=ids.new_event_id)
    payload: "models.JSONField[Any, Any]" = models.JSONField()
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(delivered_at=None) | Q(dropped_at=None),
                name="event_is_delivered_or_dropped",
            ),
        )

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


class Switch(models.Model):
    """Whether deliveries are held back, so that events come late or never, on purpose; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    holds_deliveries = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "switches"
        constraints = (models.CheckConstraint(condition=Q(id=1), name="switch_is_the_only_one"),)

    def __str__(self) -> str:
        return "deliveries are held back" if self.holds_deliveries else "deliveries go out"
