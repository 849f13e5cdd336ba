"""Sums of the ledger's entries, kept beside them so that no page adds up millions of rows.

`credits.totals.roll_up` writes them; all of it could be made anew from the entries.
"""

from django.db import models
from django.db.models import Q

from credits.models.catalog import Action
from credits.models.ledger import Entry, Grant


class TotalsMark(models.Model):
    """How far the totals have come: one row, locked by whoever adds to them."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    entry_id = models.BigIntegerField(default=0, help_text="The last entry that is in the totals.")
    as_of = models.DateTimeField(null=True, help_text="When all entries there were had been added.")

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="one_totals_mark"),)

    def __str__(self) -> str:
        return f"Totals up to entry {self.entry_id}"


class DayTotal(models.Model):
    """What the entries of one kind moved on one day (UTC) in grants of one kind.

    Entries of spends, and what came back of these, are told apart by action.
    """

    day = models.DateField()
    grant_kind = models.CharField(max_length=10, choices=Grant.Kind.choices)
    entry_kind = models.CharField(max_length=10, choices=Entry.Kind.choices)
    action = models.ForeignKey(
        Action, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    credits = models.BigIntegerField(help_text="Positive into the grants, negative out of them.")
    entries = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("day", "entry_kind", "grant_kind", "action"),
                nulls_distinct=False,
                name="one_total_per_day_kinds_and_action",
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}: {self.get_entry_kind_display()} {self.credits:+}"


class GrantMonth(models.Model):
    """What became of one top-up's credits in one month (UTC) in which its grant moved.

    Every column but the last is a movement. `closing` is what was neither used nor gone at the end
    of the month: what remained, with what was set aside by holds and frozen by disputes.
    """

    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="+", db_index=False)
    month = models.DateField(help_text="Its first day.")
    granted = models.BigIntegerField()
    used = models.BigIntegerField(help_text="Spent, less what came back of it.")
    lapsed = models.BigIntegerField()
    taken_back = models.BigIntegerField(help_text="Because the money went back.")
    adjusted = models.BigIntegerField(help_text="Taken by staff.")
    set_aside = models.BigIntegerField(help_text="By holds, less what they let go.")
    frozen = models.BigIntegerField(help_text="By disputes, less what came free.")
    closing = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("grant", "month"), name="one_row_per_grant_and_month"),
            models.CheckConstraint(
                condition=Q(closing__gte=0), name="grant_month_never_below_zero"
            ),
        )
        indexes = (models.Index(fields=("month",), name="grant_months_by_month"),)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.closing} left"
