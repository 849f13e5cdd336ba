from typing import Any

from django.db import models
from django.db.models import Q


class Email(models.Model):
    """An email to send, written down together with what it tells of, so that neither is lost.

    `key` names the occurrence: for each there is at most one email.
    """

    key = models.CharField(max_length=255, unique=True)
    to = models.EmailField()
    template = models.CharField(max_length=100, help_text="Of templates/emails/.")
    context: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(default="")
    next_attempt_at = models.DateTimeField(
        null=True, help_text="When it is sent or tried again, until it is sent."
    )

    class Meta:
        ordering = ("-created_at", "-id")
        permissions = (("retry_email", "Can try emails now that were not sent"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(sent_at__isnull=False, next_attempt_at__isnull=True)
                | Q(sent_at__isnull=True, next_attempt_at__isnull=False),
                name="email_attempted_exactly_until_sent",
            ),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(next_attempt_at__isnull=False),
                name="emails_to_send",
            ),
            models.Index(fields=("-created_at",), name="emails_by_time"),
            models.Index(fields=("to", "-created_at"), name="emails_by_address"),
            models.Index(fields=("template", "-created_at"), name="emails_by_template"),
        )

    def __str__(self) -> str:
        return f"{self.template} to {self.to}"
