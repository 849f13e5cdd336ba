"""The wallet, which every change to an organization's credits locks first."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from credits.models.organizations import Organization


class Wallet(models.Model):
    """The one row per organization that every change to its credits locks first.

    The database makes it together with the organization. It holds no balance: a balance is what
    remains in the grants that are open now.
    """

    organization = models.OneToOneField(
        Organization, primary_key=True, on_delete=models.PROTECT, related_name="wallet"
    )
    entry_seq = models.BigIntegerField(db_default=0)
    last_entry_at = models.DateTimeField(null=True)
    bundle_week = models.DateField(
        null=True, help_text="The Monday of the newest weekly bundle written down."
    )
    used_since_refill = models.BooleanField(db_default=False)
    # When the notices under way began: a spend seldom changes either, so its update stays in place.
    out_of_credits_at = models.DateTimeField(
        null=True, help_text="Since when it is out of credits; new credits end it."
    )
    low_at = models.DateTimeField(
        null=True, help_text="Since when it is below the organization's threshold."
    )

    class Meta:
        indexes = (
            # A spend changes neither column after the week's first, so its update stays in place.
            models.Index(
                fields=("organization",),
                condition=Q(used_since_refill=True),
                name="wallets_used_since_refill",
            ),
            models.Index(
                fields=("organization",),
                condition=Q(out_of_credits_at__isnull=False),
                name="wallets_out_of_credits",
            ),
        )
        # So an organization is never deleted either, nor given another id: its wallet names it.
        triggers: ClassVar = [
            pgtrigger.Protect(name="wallets_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="a_wallet_keeps_its_organization",
                fields=["organization"],
                operation=pgtrigger.UpdateOf("organization_id"),
            ),
        ]

    def __str__(self) -> str:
        return f"Wallet of {self.organization}"
