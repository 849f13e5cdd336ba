"""Who buys, and the page where it happens. Amounts count the currency's smallest unit."""

from typing import Any

from django.db import models
from django.db.models import F, Q

from topups.sandbox.models import ids
from topups.sandbox.models.payments import Payment


class Customer(models.Model):
    """Somebody who buys again (https://docs.stripe.com/api/customers/object).

    Saved cards and subscriptions, once there are any, belong to one. A country of "" means that
    no address is known.
    """

    id = models.CharField(primary_key=True, max_length=255, default=ids.new_customer_id)
    name = models.CharField(max_length=256, default="")
    email = models.CharField(max_length=512, default="")
    country = models.CharField(max_length=2, default="")
    postal_code = models.CharField(max_length=20, default="")
    metadata: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class PromotionCode(models.Model):
    """What a customer types for a discount (https://docs.stripe.com/api/promotion_codes/object)."""

    id = models.CharField(primary_key=True, max_length=255, default=ids.new_promotion_code_id)
    code = models.CharField(max_length=50, unique=True)
    percent_off = models.PositiveSmallIntegerField(null=True)
    amount_off = models.PositiveBigIntegerField(null=True)
    currency = models.CharField(max_length=3, default="")
    minimum_amount = models.PositiveBigIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(percent_off__range=(1, 100), amount_off=None)
                | Q(percent_off=None, amount_off__gt=0),
                name="promotion_code_takes_off_a_percentage_or_an_amount",
            ),
            models.CheckConstraint(
                condition=Q(amount_off=None, minimum_amount=0) | ~Q(currency=""),
                name="promotion_code_names_the_currency_of_its_amounts",
            ),
            models.CheckConstraint(
                condition=Q(code__regex=r"^[A-Z0-9-]+$"), name="promotion_code_is_upper_case"
            ),
        )

    def __str__(self) -> str:
        return self.code


class Session(models.Model):
    """A Checkout Session (https://docs.stripe.com/api/checkout/sessions/object)."""

    class Status(models.TextChoices):
        OPEN = "open"
        COMPLETE = "complete"
        EXPIRED = "expired"

    class PaymentStatus(models.TextChoices):
        PAID = "paid"
        UNPAID = "unpaid"
        FREE = "no_payment_required"

    # What was asked for.
    id = models.CharField(primary_key=True, max_length=255, default=ids.new_session_id)
    currency = models.CharField(max_length=3)
    description = models.CharField(max_length=1000)
    quantity = models.PositiveIntegerField(default=1)
    tax_behavior = models.CharField(max_length=11, default="unspecified")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True)
    customer_email = models.CharField(max_length=512, default="")
    customer_update: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    client_reference_id = models.CharField(max_length=200, default="")
    metadata: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    payment_method_types: "models.JSONField[Any, Any]" = models.JSONField(default=list)
    payment_intent_data: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    allow_promotion_codes = models.BooleanField(default=False)
    automatic_tax = models.BooleanField(default=False)
    tax_id_collection = models.BooleanField(default=False)
    billing_address_collection = models.CharField(max_length=8, default="auto")
    invoice_creation = models.BooleanField(default=False)
    invoice_data: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    success_url = models.TextField()
    cancel_url = models.TextField(default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # What became of it.
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    payment_status = models.CharField(
        max_length=20, choices=PaymentStatus.choices, default=PaymentStatus.UNPAID
    )
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, null=True)
    promotion_code = models.ForeignKey(PromotionCode, on_delete=models.PROTECT, null=True)
    amount_subtotal = models.PositiveBigIntegerField()
    amount_discount = models.PositiveBigIntegerField(default=0)
    amount_tax = models.PositiveBigIntegerField(default=0)
    amount_total = models.PositiveBigIntegerField()
    # What the customer said on the page; a country of "" means that no address is known.
    billing_name = models.CharField(max_length=256, default="")
    billing_email = models.CharField(max_length=512, default="")
    country = models.CharField(max_length=2, default="")
    postal_code = models.CharField(max_length=20, default="")
    tax_id = models.CharField(max_length=50, default="")

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(status="complete", amount_total__gt=0, payment__isnull=False)
                & ~Q(payment_status="no_payment_required")
                | Q(status="complete", amount_total=0, payment=None)
                & Q(payment_status="no_payment_required")
                | ~Q(status="complete") & Q(payment=None, payment_status="unpaid"),
                name="session_has_a_payment_exactly_when_complete_and_not_free",
            ),
            models.CheckConstraint(
                condition=Q(
                    tax_behavior="inclusive",
                    amount_total=F("amount_subtotal") - F("amount_discount"),
                )
                | ~Q(tax_behavior="inclusive")
                & Q(amount_total=F("amount_subtotal") - F("amount_discount") + F("amount_tax")),
                name="session_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(promotion_code=None) ^ Q(amount_discount__gt=0),
                name="session_has_a_discount_exactly_by_a_promotion_code",
            ),
            models.CheckConstraint(
                condition=Q(amount_tax=0) | Q(automatic_tax=True) & ~Q(country=""),
                name="session_is_taxed_where_the_customer_is",
            ),
        )

    def __str__(self) -> str:
        return self.id


class Invoice(models.Model):
    """The invoice of a paid session (https://docs.stripe.com/api/invoices/object)."""

    number = models.BigAutoField(primary_key=True)
    id = models.CharField(unique=True, max_length=255, default=ids.new_invoice_id)
    session = models.OneToOneField(Session, on_delete=models.CASCADE)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.id
