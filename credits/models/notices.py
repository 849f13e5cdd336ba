from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from credits.models.organizations import Organization
from credits.models.users import User


class NoticeKind(models.TextChoices):
    """What the members of an organization are told about its credits."""

    OUT_OF_CREDITS = "out_of_credits", _("Out of credits")
    LOW = "low", _("Low balance")
    REFILLED = "refilled", _("Credits again")


class Notice(models.Model):
    """One time that an organization ran out of credits, fell below its threshold or was refilled.

    The ledger's stored functions write it in the transaction in which it happens. Being out and
    being low last until `ended_at`, and while one lasts there is no second of its kind.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="notices", db_index=False
    )
    kind = models.CharField(max_length=20, choices=NoticeKind.choices)
    available_credits = models.BigIntegerField(help_text="Credits left to spend when it happened.")
    occurred_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True, help_text="When its emails were written, if any.")
    emails = models.PositiveIntegerField(null=True, help_text="How many emails told of it.")

    class Meta:
        ordering = ("-id",)
        permissions = (("resend_notice", "Can send the emails of notices again"),)
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "kind"),
                condition=Q(ended_at=None) & ~Q(kind="refilled"),
                name="one_notice_under_way_per_organization_and_kind",
            ),
            models.CheckConstraint(
                condition=Q(available_credits__gte=0), name="notice_never_below_zero"
            ),
            models.CheckConstraint(
                condition=Q(told_at=None, emails=None) | Q(told_at__isnull=False, emails__gte=0),
                name="notice_counts_its_emails_once_told",
            ),
        )
        indexes = (
            models.Index(fields=("organization", "-id"), name="notices_by_organization"),
            models.Index(fields=("id",), condition=Q(told_at=None), name="notices_to_tell"),
            models.Index(fields=("-occurred_at", "-id"), name="notices_by_time"),
            models.Index(fields=("kind", "-id"), name="notices_by_kind"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="notices_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="what_a_notice_says_never_changes",
                exclude=["ended_at", "told_at", "emails"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.organization}"


class NoticeOptOut(models.Model):
    """A person wants no emails of a kind about an organization."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notice_opt_outs")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=NoticeKind.choices)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("user", "organization", "kind"),
                name="one_opt_out_per_user_organization_and_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user}: no {self.get_kind_display()} of {self.organization}"


class NoticeDismissal(models.Model):
    """A person has read a notice on the pages and wants to see it there no more."""

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="dismissals")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("notice", "user"), name="one_dismissal_per_notice_and_user"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.notice}"
