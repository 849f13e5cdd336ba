"""What staff gave and took by hand, one by one or from a file, and why."""

import re
from typing import Any, ClassVar

import pgtrigger
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q

from credits.models.ledger import id_field
from credits.models.organizations import Organization
from credits.models.users import User

MAX_TEXT_LENGTH = 400
MAX_TICKET_LENGTH = 300
MAX_REFERENCE_LENGTH = 100
LINK = "https://"

_is_https = URLValidator(
    schemes=["https"], message="A link begins with https:// and is complete, or write a number."
)


def validate_ticket(ticket: str) -> None:
    """A ticket is named by its https address, or by its number or any text that is no address."""
    if re.match(r"\w+://", ticket):
        _is_https(ticket)
    elif re.match(r"\s*(javascript|data|vbscript):", ticket, re.IGNORECASE):
        raise ValidationError(_is_https.message)


class BulkAdjustment(models.Model):
    """A file of adjustments: uploaded, tried out, and made once somebody confirms it.

    Its rows are made one by one, each in a transaction of its own; the counts are those of its
    rows' outcomes when it was uploaded and again when it is finished.
    """

    id = id_field()
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField("SHA-256", max_length=64, help_text="Of the file's bytes.")
    uploaded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    confirmed_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    last_run_at = models.DateTimeField(null=True, help_text="When a worker last took it up.")
    finished_at = models.DateTimeField(null=True)
    row_count = models.PositiveIntegerField("rows")
    done_count = models.PositiveIntegerField("done", default=0)
    done_before_count = models.PositiveIntegerField("done before", default=0)
    refused_count = models.PositiveIntegerField("refused", default=0)

    class Meta:
        ordering = ("-uploaded_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(confirmed_at=None, confirmed_by=None)
                | Q(confirmed_at__isnull=False, confirmed_by__isnull=False),
                name="bulk_adjustment_confirmed_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(confirmed_at__isnull=False),
                name="bulk_adjustment_finished_after_confirmed",
            ),
        )
        indexes = (
            models.Index(fields=("-uploaded_at", "-id"), name="bulk_adjustments_by_time"),
            models.Index(fields=("sha256",), name="bulk_adjustments_by_file"),
            models.Index(
                fields=("confirmed_at",),
                condition=Q(confirmed_at__isnull=False, finished_at=None),
                name="bulk_adjustments_under_way",
            ),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="bulk_adjustments_are_never_deleted", operation=pgtrigger.Delete
            ),
            pgtrigger.ReadOnly(
                name="an_uploaded_file_never_changes",
                fields=["file_name", "sha256", "uploaded_by", "uploaded_at", "row_count"],
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_running(self) -> bool:
        return self.confirmed_at is not None and self.finished_at is None


class BulkAdjustmentRow(models.Model):
    """One row of the file, as it was uploaded, and what became of it.

    `cells` has the text of each column by its name, `problems` what is wrong by column.
    """

    class Outcome(models.TextChoices):
        WAITING = "waiting", "ready"
        DONE = "done", "done"
        DONE_BEFORE = "before", "done before"
        REFUSED = "refused", "refused"

    bulk = models.ForeignKey(
        BulkAdjustment, on_delete=models.PROTECT, related_name="rows", db_index=False
    )
    line = models.PositiveIntegerField(help_text="Of the file, whose first line is 1.")
    cells: "models.JSONField[Any, Any]" = models.JSONField()
    organization = models.ForeignKey(
        Organization, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    credits = models.BigIntegerField(null=True, help_text="None where they cannot be read.")
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    problems: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    balance_after = models.BigIntegerField(null=True)

    class Meta:
        ordering = ("bulk", "line")
        constraints = (
            models.UniqueConstraint(fields=("bulk", "line"), name="one_row_per_bulk_and_line"),
            models.CheckConstraint(
                condition=Q(outcome="refused")
                | Q(organization__isnull=False, credits__isnull=False),
                name="bulk_row_can_be_made_or_is_refused",
            ),
        )
        indexes = (
            models.Index(
                fields=("bulk", "line"),
                condition=Q(outcome="waiting"),
                name="bulk_rows_waiting",
            ),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="bulk_rows_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="an_uploaded_row_never_changes",
                fields=["bulk", "line", "cells", "organization", "credits"],
            ),
            pgtrigger.FSM(
                name="a_bulk_row_has_one_outcome",
                field="outcome",
                transitions=[
                    ("waiting", "done"),
                    ("waiting", "before"),
                    ("waiting", "refused"),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"Line {self.line} of {self.bulk}"

    @property
    def why_refused(self) -> str:
        return " ".join(f"{column}: {problem}" for column, problem in self.problems.items())


class Adjustment(models.Model):
    """Credits given (above 0) or taken (below 0) by staff, and why; append-only.

    `ledger.adjust` writes it together with its entries, which carry its id. Adjustments older than
    this table have entries alone.
    """

    class Reason(models.TextChoices):
        GOODWILL = "goodwill", "Goodwill"
        CORRECTION = "correction", "Correction"
        OUTAGE = "outage", "Compensation for an outage"
        PROMOTION = "promotion", "Promotion"
        CONTRACT = "contract", "Contract"
        TEST = "test", "Test"
        OTHER = "other", "Other"

    id = models.UUIDField(primary_key=True, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="adjustments", db_index=False
    )
    credits = models.BigIntegerField(help_text="Positive if given, negative if taken.")
    reason = models.CharField(max_length=20, choices=Reason.choices)
    text = models.CharField(max_length=500, db_default="")
    ticket = models.CharField(max_length=MAX_TICKET_LENGTH, db_default="")
    expires_at = models.DateTimeField(null=True, help_text="When what was given lapses.")
    actor = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    bulk_row = models.OneToOneField(
        BulkAdjustmentRow,
        null=True,
        on_delete=models.PROTECT,
        related_name="adjustment",
        verbose_name="row of a file",
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(condition=~Q(credits=0), name="adjustment_moves_credits"),
            models.CheckConstraint(
                condition=~Q(reason="other") | ~Q(text=""), name="other_adjustment_says_why"
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(credits__gt=0),
                name="only_given_adjustments_lapse",
            ),
        )
        indexes = (
            models.Index(
                fields=("organization", "-created_at"), name="adjustments_by_organization"
            ),
            models.Index(fields=("-created_at", "-id"), name="adjustments_by_time"),
            models.Index(fields=("actor", "-created_at"), name="adjustments_by_actor"),
            models.Index(fields=("reason", "-created_at", "-id"), name="adjustments_by_reason"),
            models.Index(fields=("ticket",), condition=~Q(ticket=""), name="adjustments_by_ticket"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="adjustments_are_append_only",
                operation=pgtrigger.Update | pgtrigger.Delete,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.credits:+,} for {self.organization}"

    @property
    def why(self) -> str:
        """The reason in words, as the ledger's entries have it."""
        if self.reason == self.Reason.OTHER:
            return self.text
        return ": ".join(filter(None, (self.Reason(self.reason).label, self.text)))

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked for: who sends an id again must ask for the same."""
        return self.organization_id, self.credits, self.why, self.ticket, self.expires_at
