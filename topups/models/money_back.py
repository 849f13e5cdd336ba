"""Money of a purchase that went back, or may: what Stripe last told of each refund and dispute."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from credits.models import User
from credits.models.ledger import id_field
from topups.models.purchases import Purchase
from topups.money import format_amount


class PaymentRefund(models.Model):
    """Money given back for a purchase, asked for by staff here or in Stripe's dashboard.

    One asked for here is `requested` until Stripe has answered; what Stripe does not do is
    `refused`. The other statuses are Stripe's (https://docs.stripe.com/api/refunds/object).
    """

    class Status(models.TextChoices):
        REQUESTED = "requested"
        REFUSED = "refused"
        PENDING = "pending"
        REQUIRES_ACTION = "requires_action"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"

    # Stripe has taken the money from our account.
    GIVEN = (Status.PENDING, Status.REQUIRES_ACTION, Status.SUCCEEDED)

    id = id_field()
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="refunds")
    stripe_refund_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    amount_minor = models.PositiveIntegerField()
    status = models.CharField(max_length=20, choices=Status.choices)
    requested_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    reason = models.CharField(max_length=300, default="")
    error = models.TextField(default="", help_text="Why Stripe has not done it.")
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    as_of = models.DateTimeField(null=True, help_text="When Stripe said so.")
    next_attempt_at = models.DateTimeField(
        null=True, help_text="When Stripe is asked again, while it is requested."
    )

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(amount_minor__gte=1), name="refund_gives_money_back"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=("requested", "refused"),
                    stripe_refund_id__isnull=True,
                    as_of__isnull=True,
                )
                | (
                    ~Q(status__in=("requested", "refused"))
                    & Q(stripe_refund_id__isnull=False, as_of__isnull=False)
                ),
                name="refund_known_to_stripe_exactly_when_done",
            ),
            models.CheckConstraint(
                condition=Q(status="requested", next_attempt_at__isnull=False)
                | (~Q(status="requested") & Q(next_attempt_at__isnull=True)),
                name="refund_attempted_exactly_while_requested",
            ),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(next_attempt_at__isnull=False),
                name="refunds_to_attempt",
            ),
            models.Index(fields=("-created_at", "-id"), name="payment_refunds_by_time"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="payment_refunds_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="what_is_refunded_never_changes",
                fields=["id", "purchase", "amount_minor", "requested_by", "reason", "created_at"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} back for {self.purchase}"

    @property
    def amount(self) -> str:
        return format_amount(self.amount_minor, self.purchase.currency)

    @property
    def is_requested(self) -> bool:
        return self.status == self.Status.REQUESTED

    @property
    def is_given(self) -> bool:
        return self.status in self.GIVEN


class Dispute(models.Model):
    """A payment its payer has complained of to the bank, as Stripe tells it.

    https://docs.stripe.com/disputes/how-disputes-work says what the statuses mean. While it is
    open, nobody knows whose the money is; an inquiry (`warning_…`) has not touched the money yet.
    """

    class Status(models.TextChoices):
        WARNING_NEEDS_RESPONSE = "warning_needs_response", "Inquiry"
        WARNING_UNDER_REVIEW = "warning_under_review", "Inquiry under review"
        WARNING_CLOSED = "warning_closed", "Inquiry closed"
        NEEDS_RESPONSE = "needs_response", "Needs response"
        UNDER_REVIEW = "under_review", "Under review"
        PREVENTED = "prevented", "Prevented"
        WON = "won", "Won"
        LOST = "lost", "Lost"
        APPEAL_NEEDS_RESPONSE = "appeal_needs_response", "Appeal needs response"
        APPEAL_UNDER_REVIEW = "appeal_under_review", "Appeal under review"

    OPEN = (
        Status.NEEDS_RESPONSE,
        Status.UNDER_REVIEW,
        Status.APPEAL_NEEDS_RESPONSE,
        Status.APPEAL_UNDER_REVIEW,
    )
    # News may still come of these.
    UNSETTLED = (*OPEN, Status.WARNING_NEEDS_RESPONSE, Status.WARNING_UNDER_REVIEW)

    stripe_dispute_id = models.CharField(max_length=255, primary_key=True)
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="disputes")
    amount_minor = models.PositiveIntegerField()
    status = models.CharField(max_length=30, choices=Status.choices)
    is_withdrawn = models.BooleanField(help_text="Whether the money has left our account.")
    reason = models.CharField(max_length=100, default="")
    respond_by = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    as_of = models.DateTimeField(help_text="When Stripe said so.")

    class Meta:
        ordering = ("-created_at", "stripe_dispute_id")
        indexes = (models.Index(fields=("-created_at",), name="disputes_by_time"),)
        triggers: ClassVar = [
            pgtrigger.Protect(name="disputes_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="what_is_disputed_never_changes",
                fields=["stripe_dispute_id", "purchase", "created_at"],
            ),
        ]

    def __str__(self) -> str:
        return f"Dispute of {self.amount}"

    @property
    def amount(self) -> str:
        return format_amount(self.amount_minor, self.purchase.currency)

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def is_lost(self) -> bool:
        # A prevented dispute has repaid the payer out of our account, or has come to nothing.
        prevented = self.status == self.Status.PREVENTED and self.is_withdrawn
        return prevented or self.status == self.Status.LOST
