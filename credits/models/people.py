"""Who is asked to join an organization, and what was changed in it by whom."""

from datetime import datetime
from typing import Any, ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from credits.models.organizations import Membership, Organization
from credits.models.users import User


class Invitation(models.Model):
    """An email address asked to join an organization, until it is accepted or withdrawn.

    Its link is signed and nowhere stored. Write it with the verbs of `credits.people`.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="invitations", db_index=False
    )
    email = models.EmailField(help_text="In lower case.")
    role = models.CharField(max_length=10, choices=Membership.Role.choices)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(help_text="When its email was last written.")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "email"),
                condition=Q(accepted_at=None, withdrawn_at=None),
                name="one_open_invitation_per_organization_and_address",
            ),
            models.CheckConstraint(
                condition=Q(email=Lower("email")), name="invited_address_in_lower_case"
            ),
            models.CheckConstraint(
                condition=Q(accepted_at=None) | Q(withdrawn_at=None),
                name="invitation_not_both_accepted_and_withdrawn",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("sent_at")), name="invitation_expires_after_sent"
            ),
        )
        indexes = (
            models.Index(
                fields=("organization", "-created_at"), name="invitations_by_organization"
            ),
            models.Index(fields=("-created_at", "-id"), name="invitations_by_time"),
            models.Index(fields=("-sent_at", "-id"), name="invitations_by_sending"),
            models.Index(fields=("email",), name="invitations_by_address"),
        )
        triggers: ClassVar = [
            pgtrigger.ReadOnly(
                name="an_invitation_keeps_its_address",
                fields=["organization", "email", "role", "invited_by", "created_at"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.role})"

    @property
    def is_open(self) -> bool:
        """Whether it is neither accepted nor withdrawn; it may have expired."""
        return self.accepted_at is None and self.withdrawn_at is None

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at <= now


class Activity(models.Model):
    """One change to an organization's people, keys or settings: who, what, when; append-only.

    Write it with `credits.activity.record`, where the kinds and their sentences are.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="activities", db_index=False
    )
    kind = models.CharField(max_length=50)
    actor = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", help_text="None for Credits."
    )
    member_email = models.EmailField(
        help_text="The actor's address as customers see it; empty for staff."
    )
    facts: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        verbose_name_plural = "activities"
        indexes = (
            models.Index(
                fields=("organization", "-created_at", "-id"), name="activities_by_organization"
            ),
            models.Index(fields=("-created_at", "-id"), name="activities_by_time"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="activities_are_append_only",
                operation=pgtrigger.Update | pgtrigger.Delete,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.organization}"
