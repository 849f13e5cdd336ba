from datetime import datetime
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from credits import origins
from credits.models.catalog import Action, Service
from credits.models.organizations import Organization
from credits.models.users import User

MAX_KEY_ORIGINS = 20


class ApiKey(models.Model):
    """A secret that lets an extension call the API.

    It belongs to one organization, or to a service whose requests each name the organization.
    Only the SHA-256 of the secret is kept, so a lost key is replaced, never shown again. Make one
    with `credits.access.create_key`.
    """

    name = models.CharField(max_length=100)
    organization = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.PROTECT, related_name="api_keys"
    )
    service = models.ForeignKey(
        Service, null=True, blank=True, on_delete=models.PROTECT, related_name="api_keys"
    )
    allowed_actions = models.ManyToManyField(
        Action,
        blank=True,
        help_text="Only these actions may be spent with the key; none chosen means all.",
    )
    allowed_origins = ArrayField(
        models.CharField(max_length=origins.MAX_ORIGIN_LENGTH, validators=[origins.validate]),
        size=MAX_KEY_ORIGINS,
        default=list,
        db_default=[],
        blank=True,
        help_text="Web pages of these origins may use browser tokens made with the key.",
    )
    prefix = models.CharField(
        max_length=20, editable=False, help_text="The start of the key, to tell keys apart."
    )
    secret_sha256 = models.BinaryField(max_length=32, unique=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Kept to within five minutes."
    )
    replaces = models.OneToOneField(
        "self",
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="replaced_by",
        help_text="The key whose settings it took over with a new secret.",
    )
    created_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "API key"
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(organization__isnull=False, service__isnull=True)
                | models.Q(organization__isnull=True, service__isnull=False),
                name="key_belongs_to_an_organization_or_a_service",
            ),
        )

        indexes = (
            GinIndex(
                fields=("allowed_origins",),
                condition=models.Q(revoked_at=None),
                name="keys_by_allowed_origin",
            ),
            models.Index(
                fields=("prefix",), opclasses=("varchar_pattern_ops",), name="keys_by_prefix"
            ),
        )
        # Spends name it, and have no foreign key that would keep it.
        triggers: ClassVar = [
            pgtrigger.Protect(name="keys_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="a_key_keeps_its_id", fields=["id"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def works_at(self, now: datetime) -> bool:
        """Whether it opens the API: it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)
