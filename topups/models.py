"""What can be bought, what was bought, and what Stripe told us about it."""

from typing import Any, ClassVar

import pgtrigger
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from credits.counting import counted
from credits.models import Organization, User
from credits.models.ledger import id_field
from credits.models.organizations import MAX_CREDITS
from topups.money import CURRENCIES, format_amount, format_rate

# Stripe takes amounts of up to eight digits (https://docs.stripe.com/currencies).
MAX_AMOUNT_MINOR = 99_999_999
CURRENCY_PATTERN = "^[a-z]{3}$"


def validate_currency(currency: str) -> None:
    if currency not in CURRENCIES:
        raise ValidationError(f"Write one of these: {', '.join(sorted(CURRENCIES))}.")


class Plan(models.Model):
    """So many credits for a price, as staff offer it. Past purchases keep what they bought."""

    name = models.CharField(max_length=100)
    credits = models.PositiveBigIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CREDITS)]
    )
    amount_minor = models.PositiveIntegerField(
        "price in minor units",
        # Stripe charges no less than 50 cents (https://docs.stripe.com/currencies).
        validators=[MinValueValidator(50), MaxValueValidator(MAX_AMOUNT_MINOR)],
        help_text="In the currency's smallest unit: 1000 is $10.00, and ¥1,000.",
    )
    currency = models.CharField(
        max_length=3,
        default="usd",
        validators=[validate_currency],
        help_text="An ISO 4217 code in lower case, as Stripe has it.",
    )
    is_active = models.BooleanField(
        default=True, help_text="Untick to stop offering it; its past purchases stay."
    )
    position = models.PositiveSmallIntegerField(default=0, help_text="Lower numbers come first.")

    class Meta:
        ordering = ("position", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(credits__gte=1, credits__lte=MAX_CREDITS),
                name="plan_credits_within_limits",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=1, amount_minor__lte=MAX_AMOUNT_MINOR),
                name="plan_amount_within_limits_of_stripe",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=CURRENCY_PATTERN),
                name="plan_currency_is_three_lower_case_letters",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def price(self) -> str:
        return format_amount(self.amount_minor, self.currency)

    @property
    def price_per_credit(self) -> str:
        return format_rate(self.amount_minor, self.credits, self.currency)


class Purchase(models.Model):
    """One buying of a plan, at the credits and the price the plan had at that moment.

    It begins `pending`, becomes `paid` together with its grant of credits, or `expired` when its
    Checkout Session ended unpaid. Should Stripe say later that an expired one was paid after all,
    it becomes paid: money that arrived is always honored.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        PAID = "paid"
        EXPIRED = "expired"

    id = id_field()
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="purchases", db_index=False
    )
    buyer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="purchases")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="purchases")
    credits = models.PositiveBigIntegerField()
    amount_minor = models.PositiveIntegerField(help_text="In the currency's smallest unit.")
    currency = models.CharField(max_length=3, help_text="ISO 4217 in lower case.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    stripe_session_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    stripe_payment_intent_id = models.CharField(max_length=255, default="")
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    next_check_at = models.DateTimeField(
        null=True, help_text="When the sweep asks Stripe about it, while it is pending."
    )

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(credits__gte=1, amount_minor__gte=1),
                name="purchase_has_credits_and_a_price",
            ),
            models.CheckConstraint(
                condition=Q(status="paid", paid_at__isnull=False, stripe_session_id__isnull=False)
                | (~Q(status="paid") & Q(paid_at__isnull=True)),
                name="purchase_paid_exactly_when_it_has_a_time_and_session",
            ),
            models.CheckConstraint(
                condition=Q(status="pending", next_check_at__isnull=False)
                | (~Q(status="pending") & Q(next_check_at__isnull=True)),
                name="purchase_checked_exactly_while_pending",
            ),
        )
        indexes = (
            models.Index(
                fields=("next_check_at",),
                condition=Q(next_check_at__isnull=False),
                name="purchases_to_check",
            ),
            models.Index(fields=("organization", "-created_at"), name="purchases_by_organization"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="purchases_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="what_was_bought_never_changes",
                exclude=[
                    "status",
                    "stripe_session_id",
                    "stripe_payment_intent_id",
                    "paid_at",
                    "next_check_at",
                ],
            ),
            pgtrigger.Protect(
                name="a_purchase_keeps_its_session",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__stripe_session_id__isnull=False)
                & pgtrigger.Q(old__stripe_session_id__df=pgtrigger.F("new__stripe_session_id")),
            ),
            pgtrigger.FSM(
                name="a_purchase_is_paid_once",
                field="status",
                transitions=[("pending", "paid"), ("pending", "expired"), ("expired", "paid")],
            ),
        ]

    def __str__(self) -> str:
        return f"{counted(self.credits)} for {self.price}"

    @property
    def price(self) -> str:
        return format_amount(self.amount_minor, self.currency)

    @property
    def is_paid(self) -> bool:
        return self.status == self.Status.PAID


class StripeEvent(models.Model):
    """One event Stripe told us, kept as it came, and what became of it.

    A `rejected` row is a delivery whose signature or time was wrong: nothing of it is believed, so
    neither its id nor its payload is kept, and there is at most one such row per reason and minute.
    """

    class Status(models.TextChoices):
        RECEIVED = "received"
        PROCESSED = "processed"
        FAILED = "failed"
        IGNORED = "ignored"
        REJECTED = "rejected"

    event_id = models.CharField("event id", max_length=255, null=True, blank=True, unique=True)
    type = models.CharField(max_length=255)
    payload: "models.JSONField[Any, Any]" = models.JSONField(null=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RECEIVED)
    error = models.TextField(default="")
    attempts = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(
        null=True, help_text="When the sweep tries again, until it is done."
    )

    class Meta:
        verbose_name = "Stripe event"
        ordering = ("-received_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(status="rejected", event_id__isnull=True, payload__isnull=True)
                | (~Q(status="rejected") & Q(event_id__isnull=False, payload__isnull=False)),
                name="only_verified_events_keep_id_and_payload",
            ),
            models.UniqueConstraint(
                fields=("error", "received_at"),
                condition=Q(status="rejected"),
                name="one_rejected_event_per_reason_and_minute",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("received", "failed"), next_attempt_at__isnull=False)
                | (~Q(status__in=("received", "failed")) & Q(next_attempt_at__isnull=True)),
                name="event_attempted_again_exactly_until_done",
            ),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(next_attempt_at__isnull=False),
                name="stripe_events_to_attempt",
            ),
            models.Index(fields=("-received_at",), name="stripe_events_by_time"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="stripe_events_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="what_stripe_told_never_changes",
                exclude=["status", "error", "attempts", "processed_at", "next_attempt_at"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id or ''}".rstrip()

    @property
    def is_done(self) -> bool:
        return self.status in (self.Status.PROCESSED, self.Status.IGNORED)
