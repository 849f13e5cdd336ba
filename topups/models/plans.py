"""What can be bought, and in which currency an organization buys."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from credits.models import Organization
from credits.models.organizations import MAX_CREDITS
from topups.money import CURRENCIES, format_amount, format_rate

# Stripe takes amounts of up to eight digits (https://docs.stripe.com/currencies).
MAX_AMOUNT_MINOR = 99_999_999
CURRENCY_PATTERN = "^[a-z]{3}$"


def validate_currency(currency: str) -> None:
    if currency not in CURRENCIES:
        raise ValidationError(f"Write one of these: {', '.join(sorted(CURRENCIES))}.")


def default_currency() -> str:
    currency: str = settings.DEFAULT_CURRENCY
    return currency


class Plan(models.Model):
    """So many credits, at a price in each currency they are sold in, as staff offer it.

    Past purchases keep what they bought.
    """

    name = models.CharField(max_length=100)
    credits = models.PositiveBigIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CREDITS)]
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
        )

    def __str__(self) -> str:
        return self.name


class Price(models.Model):
    """What a plan costs in one currency."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="prices")
    currency = models.CharField(
        max_length=3,
        default=default_currency,
        validators=[validate_currency],
        help_text="An ISO 4217 code in lower case, as Stripe has it.",
    )
    amount_minor = models.PositiveIntegerField(
        "price in minor units",
        # Stripe charges no less than 50 cents (https://docs.stripe.com/currencies).
        validators=[MinValueValidator(50), MaxValueValidator(MAX_AMOUNT_MINOR)],
        help_text="In the currency's smallest unit: 1000 is $10.00, and ¥1,000.",
    )

    class Meta:
        ordering = ("currency",)
        constraints = (
            models.UniqueConstraint(
                fields=("plan", "currency"), name="one_price_per_plan_and_currency"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=1, amount_minor__lte=MAX_AMOUNT_MINOR),
                name="price_within_limits_of_stripe",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=CURRENCY_PATTERN),
                name="price_currency_is_three_lower_case_letters",
            ),
        )

    def __str__(self) -> str:
        return format_amount(self.amount_minor, self.currency)

    @property
    def per_credit(self) -> str:
        return format_rate(self.amount_minor, self.plan.credits, self.currency)


class BillingAccount(models.Model):
    """How an organization pays: its currency, and the customer it is at Stripe.

    An organization has none until it first buys or staff choose its currency.
    """

    organization = models.OneToOneField(
        Organization, primary_key=True, on_delete=models.PROTECT, related_name="billing_account"
    )
    currency = models.CharField(
        max_length=3,
        default=default_currency,
        validators=[validate_currency],
        help_text="Plans are offered to it in this currency: an ISO 4217 code in lower case.",
    )
    stripe_customer_id = models.CharField(
        max_length=255, null=True, blank=True, unique=True, editable=False
    )
    email = models.EmailField(
        blank=True, editable=False, help_text="Where Stripe sends its receipts: the last buyer."
    )

    class Meta:
        ordering = ("-organization_id",)
        indexes = (
            models.Index(fields=("email",), name="billing_accounts_by_address"),
            models.Index(fields=("currency", "-organization"), name="billing_accounts_by_currency"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(currency__regex=CURRENCY_PATTERN),
                name="account_currency_is_three_lower_case_letters",
            ),
        )

    def __str__(self) -> str:
        return f"{self.organization} ({self.currency.upper()})"
