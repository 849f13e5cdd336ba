"""What was bought."""

from itertools import combinations
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from credits.counting import counted
from credits.models import Organization, User
from credits.models.ledger import id_field
from topups.models.plans import Plan
from topups.money import format_amount


class PurchaseStatus(models.TextChoices):
    PENDING = "pending"
    EXPIRED = "expired"
    PROCESSING = "processing"
    FAILED = "failed"
    PAID = "paid"


class Purchase(models.Model):
    """One buying of a plan, at the credits and the price the plan had at that moment.

    Its status only moves forward, in the order above: whichever news comes last, the same remains.
    Money that arrived is always honored, so `paid` is the last of all. What went back later is in
    its refunds and disputes.
    """

    Status = PurchaseStatus
    UNDECIDED = (Status.PENDING, Status.PROCESSING)

    id = id_field()
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="purchases", db_index=False
    )
    buyer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="purchases")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="purchases")
    credits = models.PositiveBigIntegerField()
    amount_minor = models.PositiveIntegerField(
        help_text="The price in the currency's smallest unit, before discount and tax."
    )
    currency = models.CharField(max_length=3, help_text="ISO 4217 in lower case.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    stripe_session_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    stripe_payment_intent_id = models.CharField(
        max_length=255, default="", help_text="Empty until paid, and when nothing was to be paid."
    )
    paid_minor = models.PositiveIntegerField(
        null=True, help_text="What the customer paid, after discount and with tax."
    )
    discount_minor = models.PositiveIntegerField(default=0)
    tax_minor = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    next_check_at = models.DateTimeField(
        null=True, help_text="When the sweep asks Stripe about it, while it is not decided."
    )
    failed_checks = models.PositiveIntegerField(default=0)
    check_error = models.TextField(default="", help_text="What was wrong at the last check.")

    class Meta:
        ordering = ("-created_at", "-id")
        permissions = (("refund_purchase", "Can refund purchases"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(credits__gte=1, amount_minor__gte=1),
                name="purchase_has_credits_and_a_price",
            ),
            models.CheckConstraint(
                condition=Q(
                    status="paid",
                    paid_at__isnull=False,
                    paid_minor__isnull=False,
                    stripe_session_id__isnull=False,
                )
                | (~Q(status="paid") & Q(paid_at__isnull=True, paid_minor__isnull=True)),
                name="purchase_paid_exactly_when_it_has_time_amount_and_session",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("pending", "processing"), next_check_at__isnull=False)
                | (~Q(status__in=("pending", "processing")) & Q(next_check_at__isnull=True)),
                name="purchase_checked_exactly_while_undecided",
            ),
            # What makes two clicks on Buy one checkout.
            models.UniqueConstraint(
                fields=("organization", "buyer", "plan", "credits", "amount_minor", "currency"),
                condition=Q(status="pending"),
                name="one_open_checkout_per_buyer_and_offer",
            ),
            models.UniqueConstraint(
                fields=("stripe_payment_intent_id",),
                condition=~Q(stripe_payment_intent_id=""),
                name="one_purchase_per_payment",
            ),
        )
        indexes = (
            models.Index(
                fields=("next_check_at",),
                condition=Q(next_check_at__isnull=False),
                name="purchases_to_check",
            ),
            models.Index(fields=("organization", "-created_at"), name="purchases_by_organization"),
            models.Index(fields=("-created_at", "-id"), name="purchases_by_time"),
            models.Index(
                fields=("paid_at",),
                include=("currency", "paid_minor"),
                condition=Q(status="paid"),
                name="sales_by_time",
            ),
            models.Index(fields=("status", "-created_at", "-id"), name="purchases_by_status"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="purchases_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="what_was_bought_never_changes",
                fields=[
                    "id",
                    "organization",
                    "buyer",
                    "plan",
                    "credits",
                    "amount_minor",
                    "currency",
                    "created_at",
                ],
            ),
            pgtrigger.Protect(
                name="a_purchase_keeps_its_session",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__stripe_session_id__isnull=False)
                & pgtrigger.Q(old__stripe_session_id__df=pgtrigger.F("new__stripe_session_id")),
            ),
            pgtrigger.Protect(
                name="what_was_paid_never_changes",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__status="paid")
                & (
                    pgtrigger.Q(old__paid_minor__df=pgtrigger.F("new__paid_minor"))
                    | pgtrigger.Q(old__tax_minor__df=pgtrigger.F("new__tax_minor"))
                    | pgtrigger.Q(old__discount_minor__df=pgtrigger.F("new__discount_minor"))
                    | pgtrigger.Q(old__paid_at__df=pgtrigger.F("new__paid_at"))
                    | pgtrigger.Q(
                        old__stripe_payment_intent_id__df=pgtrigger.F(
                            "new__stripe_payment_intent_id"
                        )
                    )
                ),
            ),
            pgtrigger.FSM(
                name="a_purchase_only_moves_forward",
                field="status",
                transitions=list(combinations(PurchaseStatus.values, 2)),
            ),
        ]

    def __str__(self) -> str:
        return f"{counted(self.credits)} for {self.price}"

    @property
    def price(self) -> str:
        """Before discount and tax."""
        return format_amount(self.amount_minor, self.currency)

    @property
    def paid(self) -> str:
        """What was paid, or the price while nothing is."""
        if self.paid_minor is None:
            return self.price
        return format_amount(self.paid_minor, self.currency)

    @property
    def is_paid(self) -> bool:
        return self.status == self.Status.PAID

    @property
    def is_decided(self) -> bool:
        return self.status not in self.UNDECIDED
