"""What Stripe told us, and how asking it ourselves went."""

from typing import Any, ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q


class StripeEvent(models.Model):
    """One event Stripe told us, kept as it came, and what became of it.

    A `rejected` row is a delivery whose signature or time was wrong: nothing of it is believed, so
    neither its id nor its payload is kept, and there is at most one such row per reason and minute.
    """

    class Status(models.TextChoices):
        RECEIVED = "received"
        PROCESSED = "processed"
        FAILED = "failed"
        IGNORED = "ignored"
        REJECTED = "rejected"

    event_id = models.CharField("event id", max_length=255, null=True, blank=True, unique=True)
    type = models.CharField(max_length=255)
    payload: "models.JSONField[Any, Any]" = models.JSONField(null=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RECEIVED)
    error = models.TextField(default="")
    attempts = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(
        null=True, help_text="When the sweep tries again, until it is done."
    )

    class Meta:
        verbose_name = "Stripe event"
        ordering = ("-received_at", "-id")
        permissions = (("retry_stripeevent", "Can retry Stripe events"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(status="rejected", event_id__isnull=True, payload__isnull=True)
                | (~Q(status="rejected") & Q(event_id__isnull=False, payload__isnull=False)),
                name="only_verified_events_keep_id_and_payload",
            ),
            models.UniqueConstraint(
                fields=("error", "received_at"),
                condition=Q(status="rejected"),
                name="one_rejected_event_per_reason_and_minute",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("received", "failed"), next_attempt_at__isnull=False)
                | (~Q(status__in=("received", "failed")) & Q(next_attempt_at__isnull=True)),
                name="event_attempted_again_exactly_until_done",
            ),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(next_attempt_at__isnull=False),
                name="stripe_events_to_attempt",
            ),
            models.Index(fields=("-received_at",), name="stripe_events_by_time"),
            models.Index(fields=("status", "-received_at", "-id"), name="stripe_events_by_status"),
            models.Index(fields=("type", "-received_at", "-id"), name="stripe_events_by_type"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="stripe_events_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="what_stripe_told_never_changes",
                exclude=["status", "error", "attempts", "processed_at", "next_attempt_at"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id or ''}".rstrip()

    @property
    def is_done(self) -> bool:
        return self.status in (self.Status.PROCESSED, self.Status.IGNORED)


class Reconciliation(models.Model):
    """One time of asking Stripe for everything since a moment, and what it repaired."""

    since = models.DateTimeField(help_text="What Stripe has from this moment on was looked at.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, help_text="Empty when it broke off.")
    seen = models.PositiveIntegerField("objects seen", default=0)
    repaired: "models.JSONField[Any, Any]" = models.JSONField(default=list)
    failures: "models.JSONField[Any, Any]" = models.JSONField(default=list)

    class Meta:
        ordering = ("-started_at", "-id")

    def __str__(self) -> str:
        return f"Reconciliation since {self.since:%Y-%m-%d %H:%M} UTC"
