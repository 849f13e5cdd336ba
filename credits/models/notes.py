"""What staff write down about an organization for each other."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from credits.models.ledger import id_field
from credits.models.organizations import Organization
from credits.models.users import User

MAX_NOTE_LENGTH = 2_000


class Note(models.Model):
    """A remark of staff about an organization, never shown to customers; append-only.

    One that is wrong is answered by the next.
    """

    id = id_field()
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="notes", db_index=False
    )
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    text = models.TextField(max_length=MAX_NOTE_LENGTH)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ("add", "view")
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    GreaterThan(Length("text"), 0),
                    LessThanOrEqual(Length("text"), MAX_NOTE_LENGTH),
                ),
                name="note_says_something",
            ),
        )
        indexes = (
            models.Index(fields=("organization", "-created_at", "-id"), name="notes_of_one"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="notes_are_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            ),
        ]

    def __str__(self) -> str:
        return f"Note about {self.organization}"
