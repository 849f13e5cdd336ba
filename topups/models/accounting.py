"""What finance closes its months with: totals by month and currency, and what went back."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from credits.models import User
from topups.models.purchases import Purchase


class MonthTotalsMark(models.Model):
    """How far the month totals have come: one row, locked by whoever computes them."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    entry_id = models.BigIntegerField(default=0, help_text="The last entry that is in them.")
    as_of = models.DateTimeField(null=True, help_text="All entries until then are in them.")

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="one_month_totals_mark"),)

    def __str__(self) -> str:
        return f"Month totals up to entry {self.entry_id}"


class MonthFigures(models.Model):
    """What moved in one month (UTC, by the ledger's dates) in the top-ups paid in one currency.

    Credits, and what they cost in the currency's smallest unit. Balances are not among them: the
    deferred balance at the end of a month is the sum of all movements until then.
    """

    month = models.DateField(help_text="Its first day.")
    currency = models.CharField(max_length=3)
    sales = models.BigIntegerField(default=0, help_text="Top-ups granted.")
    sold_credits = models.BigIntegerField(default=0)
    sold_minor = models.BigIntegerField(default=0, help_text="Paid for them, less tax.")
    recognized_credits = models.BigIntegerField(default=0)
    recognized_minor = models.BigIntegerField(default=0, help_text="Used, less what came back.")
    lapsed_credits = models.BigIntegerField(default=0)
    lapsed_minor = models.BigIntegerField(default=0)
    refunded_credits = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0, help_text="Deferred money that went back.")
    adjusted_credits = models.BigIntegerField(default=0)
    adjusted_minor = models.BigIntegerField(default=0, help_text="Taken by staff.")
    held_credits = models.BigIntegerField(default=0)
    held_minor = models.BigIntegerField(default=0, help_text="Set aside, less what came free.")
    frozen_credits = models.BigIntegerField(default=0)
    frozen_minor = models.BigIntegerField(default=0, help_text="Disputed, less what came free.")
    list_minor = models.BigIntegerField(default=0, help_text="Sold, before discount and tax.")
    discount_minor = models.BigIntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0)
    paid_minor = models.BigIntegerField(default=0, help_text="After discount and with tax.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} in {self.currency.upper()}"


class MonthTotal(MonthFigures):
    """Computed anew from the ledger's totals whenever a month has new entries."""

    class Meta:
        verbose_name = "month"
        ordering = ("-month", "currency")
        constraints = (
            models.UniqueConstraint(fields=("month", "currency"), name="one_total_per_month"),
        )


class ClosedMonth(MonthFigures):
    """A month's figures in one currency as they were when finance closed it; never changed."""

    closing_credits = models.BigIntegerField()
    closing_minor = models.BigIntegerField(help_text="Deferred at its end.")
    money_back_minor = models.BigIntegerField(help_text="Given back or lost, with tax.")
    money_back_tax_minor = models.BigIntegerField()
    closed_at = models.DateTimeField()
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        ordering = ("-month", "currency")
        permissions = (("close_month", "Can close months"),)
        constraints = (
            models.UniqueConstraint(fields=("month", "currency"), name="a_month_is_closed_once"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="closed_months_are_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            ),
        ]


class MoneyBack(models.Model):
    """By how much the money that is gone from a purchase changed, and when we learned so.

    Refunds and disputes tell how things stand; these lines tell when that changed, so that the
    books of a month stay as they were. Negative where money came back to us: a refund that failed,
    a dispute that was won after all.
    """

    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="money_back")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField(help_text="With its tax.")
    tax_minor = models.BigIntegerField()
    posted_at = models.DateTimeField()

    class Meta:
        ordering = ("posted_at", "id")
        indexes = (models.Index(fields=("posted_at",), name="money_back_by_time"),)
        constraints = (
            models.CheckConstraint(condition=~Q(amount_minor=0), name="money_back_moves_money"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="money_back_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor:+} {self.currency.upper()}"
