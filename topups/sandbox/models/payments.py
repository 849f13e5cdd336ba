"""Money that comes, goes back, and is fought over. Amounts count the currency's smallest unit."""

from typing import Any

from django.db import models
from django.db.models import F, Q

from topups.sandbox.models import ids


class Payment(models.Model):
    """A PaymentIntent (https://docs.stripe.com/api/payment_intents/object) and its one charge."""

    class Status(models.TextChoices):
        PROCESSING = "processing"
        SUCCEEDED = "succeeded"
        FAILED = "requires_payment_method"
        CANCELED = "canceled"

    class Method(models.TextChoices):
        CARD = "card"
        SEPA_DEBIT = "sepa_debit"

    id = models.CharField(primary_key=True, max_length=255, default=ids.new_payment_id)
    charge_id = models.CharField(unique=True, max_length=255, default=ids.new_charge_id)
    status = models.CharField(max_length=30, choices=Status.choices)
    method = models.CharField(max_length=20, choices=Method.choices)
    amount = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    customer = models.ForeignKey("sandbox.Customer", on_delete=models.PROTECT, null=True)
    description = models.CharField(max_length=1000, default="")
    metadata: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    failure_message = models.TextField(default="")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_is_of_something"),
            models.CheckConstraint(
                condition=Q(status="requires_payment_method") ^ Q(failure_message=""),
                name="payment_tells_why_exactly_when_it_failed",
            ),
        )

    def __str__(self) -> str:
        return self.id


class Refund(models.Model):
    """Money that goes back (https://docs.stripe.com/api/refunds/object)."""

    class Status(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    id = models.CharField(primary_key=True, max_length=255, default=ids.new_refund_id)
    payment = models.ForeignKey(Payment, on_delete=models.CASCADE, related_name="refunds")
    status = models.CharField(max_length=10, choices=Status.choices)
    amount = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=30, default="")
    metadata: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    failure_reason = models.CharField(max_length=50, default="")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_is_of_something"),
            models.CheckConstraint(
                condition=Q(status="failed") ^ Q(failure_reason=""),
                name="refund_tells_why_exactly_when_it_failed",
            ),
        )

    def __str__(self) -> str:
        return self.id


class Dispute(models.Model):
    """A payer's bank that wants the money back (https://docs.stripe.com/api/disputes/object)."""

    class Status(models.TextChoices):
        WARNING_NEEDS_RESPONSE = "warning_needs_response"
        WARNING_UNDER_REVIEW = "warning_under_review"
        WARNING_CLOSED = "warning_closed"
        NEEDS_RESPONSE = "needs_response"
        UNDER_REVIEW = "under_review"
        WON = "won"
        LOST = "lost"
        APPEAL_NEEDS_RESPONSE = "appeal_needs_response"
        APPEAL_UNDER_REVIEW = "appeal_under_review"
        PREVENTED = "prevented"

    id = models.CharField(primary_key=True, max_length=255, default=ids.new_dispute_id)
    payment = models.ForeignKey(Payment, on_delete=models.CASCADE, related_name="disputes")
    status = models.CharField(max_length=30, choices=Status.choices)
    amount = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=50)
    due_by = models.DateTimeField()
    submissions = models.PositiveSmallIntegerField(default=0)
    withdrawn_at = models.DateTimeField(null=True)
    reinstated_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="dispute_is_of_something"),
            models.CheckConstraint(
                condition=Q(status__startswith="warning_") ^ Q(withdrawn_at__isnull=False),
                name="dispute_holds_money_exactly_when_more_than_a_warning",
            ),
            models.CheckConstraint(
                condition=Q(status="won") ^ Q(reinstated_at=None),
                name="dispute_gives_money_back_exactly_when_won",
            ),
            models.CheckConstraint(
                condition=Q(reinstated_at=None) | Q(reinstated_at__gte=F("withdrawn_at")),
                name="dispute_gives_back_what_it_took",
            ),
        )

    def __str__(self) -> str:
        return self.id
