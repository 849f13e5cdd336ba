"""The ledger: grants, clawbacks, spends, refunds and the entries that explain them.

Only the verbs of `credits.ledger` write these rows. They leave remainders and entries to the stored
functions in `credits/ledger/sql`, and the database refuses what would rewrite history.

Spends and entries have no foreign key constraints on what every spend names: each would look its
row up and lock it once more, and those of an action or a key, which all share, even queue up. They
need none: the functions have just read or written that row, and triggers keep it from ever being
deleted or given another id.
"""

from typing import Any, ClassVar

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Collate

from credits.counting import counted
from credits.models.access import ApiKey
from credits.models.catalog import Action
from credits.models.organizations import Organization
from credits.models.users import User

MAX_QUANTITY = 1_000_000
MAX_IDEMPOTENCY_KEY_LENGTH = 255
MAX_REFERENCE_LENGTH = 255
MAX_REASON_LENGTH = 500


class UuidV7(Func):
    """PostgreSQL's time-ordered UUID (RFC 9562), so that new rows go to the end of the index."""

    function = "uuidv7"
    template = "%(function)s()"
    output_field = models.UUIDField()


def id_field() -> "models.UUIDField[Any, Any]":
    return models.UUIDField(primary_key=True, db_default=UuidV7(), editable=False)


def _by_time(rows: str, ordinary: tuple[str, str]) -> tuple[models.Index, ...]:
    """Indexes by which staff find rows of some days or kind, and which cost a spend almost nothing.

    BRIN only notes where in the table which time lies; the other has none of the ordinary rows.
    """
    field, value = ordinary
    return (
        BrinIndex(
            fields=("created_at",), autosummarize=True, pages_per_range=32, name=f"{rows}_by_day"
        ),
        models.Index(
            fields=(field, "-created_at", "-id"),
            condition=~Q(**{field: value}),
            name=f"{rows}_by_{field}",
        ),
    )


class Grant(models.Model):
    """Credits given at one time for one reason.

    Grants are spent in burn-down order: lowest `priority`, then soonest expiry (never-expiring
    last), then oldest.
    """

    class Kind(models.TextChoices):
        WEEKLY = "weekly", "Weekly bundle"
        TOP_UP = "top_up", "Top-up"
        STAFF = "staff", "Staff adjustment"

    id = id_field()
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="grants", db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    priority = models.SmallIntegerField(help_text="Lower numbers are spent first.")
    amount = models.BigIntegerField(help_text="Whole credits given.")
    remaining = models.BigIntegerField(help_text="Whole credits left.")
    starts_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    week = models.DateField(null=True, help_text="The Monday of a weekly bundle.")
    purchase_id = models.UUIDField(null=True, unique=True, help_text="The purchase that paid.")
    created_at = models.DateTimeField()
    is_open = models.GeneratedField(
        expression=Q(remaining__gt=0),  # type: ignore[arg-type]
        output_field=models.BooleanField(),
        db_persist=True,
    )

    class Meta:
        ordering = ("priority", F("expires_at").asc(nulls_last=True), "created_at", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("amount")),
                name="grant_remaining_between_zero_and_amount",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="grant_amount_positive"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("starts_at")),
                name="grant_expires_after_start",
            ),
            models.CheckConstraint(
                condition=Q(kind="weekly", week__isnull=False)
                | (~Q(kind="weekly") & Q(week__isnull=True)),
                name="grant_week_exactly_for_weekly",
            ),
            models.CheckConstraint(
                condition=Q(kind="top_up", purchase_id__isnull=False)
                | (~Q(kind="top_up") & Q(purchase_id__isnull=True)),
                name="grant_purchase_exactly_for_top_up",
            ),
            models.UniqueConstraint(
                fields=("organization", "week"), name="one_weekly_grant_per_organization_and_week"
            ),
        )
        indexes = (
            # `remaining` itself stays out of every index, so that a spend's update stays in place.
            models.Index(fields=("organization",), condition=Q(is_open=True), name="open_grants"),
            models.Index(fields=("organization", "created_at"), name="grants_by_organization"),
            # Weekly bundles lapse with the refill.
            models.Index(
                fields=("expires_at",),
                condition=Q(is_open=True, expires_at__isnull=False) & ~Q(kind="weekly"),
                name="grants_to_lapse",
            ),
            *_by_time("grants", ordinary=("kind", "weekly")),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="grants_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="only_remaining_changes",
                exclude=["remaining", "is_open"],
                # A spend, which names none of these columns, then pays nothing for it.
                operation=pgtrigger.UpdateOf(
                    "id",
                    "organization_id",
                    "kind",
                    "priority",
                    "amount",
                    "starts_at",
                    "expires_at",
                    "week",
                    "purchase_id",
                    "created_at",
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.amount}"


class Clawback(models.Model):
    """What a top-up must give up because its money went back, and what could be had of it.

    `revoke_credits` and `freeze_credits` are the targets: the share of the grant whose payment was
    refunded or lost, and the share whose payment is disputed. `revoked_credits` and
    `frozen_credits` are out of the grant for them. Credits that were used cannot be taken, but they
    are as soon as they come home; staff may have taken `collected_credits` of what was revoked
    from the organization's other credits instead, which stand for it while it is disputed again.
    """

    grant = models.OneToOneField(
        Grant, primary_key=True, on_delete=models.PROTECT, related_name="clawback"
    )
    revoke_credits = models.BigIntegerField(db_default=0)
    freeze_credits = models.BigIntegerField(db_default=0)
    revoked_credits = models.BigIntegerField(db_default=0)
    frozen_credits = models.BigIntegerField(db_default=0)
    collected_credits = models.BigIntegerField(db_default=0)
    updated_at = models.DateTimeField()
    outstanding_credits = models.GeneratedField(
        expression=F("revoke_credits")
        - F("revoked_credits")
        - F("collected_credits")
        + F("freeze_credits")
        - F("frozen_credits"),
        output_field=models.BigIntegerField(),
        db_persist=True,
        help_text="Whole credits it takes of what comes home.",
    )

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(revoked_credits__gte=0, revoke_credits__gte=F("revoked_credits")),
                name="clawback_revokes_no_more_than_it_must",
            ),
            models.CheckConstraint(
                condition=Q(frozen_credits__gte=0, freeze_credits__gte=F("frozen_credits")),
                name="clawback_freezes_no_more_than_it_must",
            ),
            models.CheckConstraint(
                condition=Q(collected_credits__gte=0, outstanding_credits__gte=0),
                name="clawback_collects_no_more_than_it_must",
            ),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="clawbacks_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="a_clawback_keeps_its_grant", fields=["grant"]),
            pgtrigger.Trigger(
                name="a_clawback_fits_its_top_up",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func="""
                    IF NOT EXISTS (
                        SELECT FROM credits_grant WHERE id = NEW.grant_id AND kind = 'top_up'
                            AND amount >= NEW.revoke_credits + NEW.freeze_credits
                    ) THEN
                        RAISE EXCEPTION 'grant % has not so much to give up', NEW.grant_id;
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{counted(self.revoked_credits)} taken back, {self.frozen_credits:,} frozen"

    @property
    def shortfall(self) -> int:
        """Credits that were used although their money went back."""
        return max(self.revoke_credits - self.revoked_credits - self.collected_credits, 0)


class Spend(models.Model):
    """One use of an action by one organization: quantity × price, taken from grants.

    A spend made as a hold begins as `held` and is captured (`spent`), `released` or `expired`.
    What it keeps is `credits - released_credits - refunded_credits`.
    """

    class Status(models.TextChoices):
        SPENT = "spent"
        HELD = "held"
        RELEASED = "released"
        EXPIRED = "expired"

    id = id_field()
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="spends",
        db_index=False,
        db_constraint=False,
    )
    api_key = models.ForeignKey(
        ApiKey,
        null=True,
        on_delete=models.PROTECT,
        related_name="spends",
        db_index=False,
        db_constraint=False,
    )
    action = models.ForeignKey(
        Action,
        on_delete=models.PROTECT,
        related_name="spends",
        db_index=False,
        db_constraint=False,
    )
    quantity = models.IntegerField()
    unit_credits = models.IntegerField(help_text="The action's price when it was spent.")
    credits = models.BigIntegerField(help_text="Quantity × price, as first taken.")
    released_credits = models.BigIntegerField(db_default=0)
    refunded_credits = models.BigIntegerField(db_default=0)
    status = models.CharField(max_length=10, choices=Status.choices)
    hold_expires_at = models.DateTimeField(null=True)
    balance_after = models.BigIntegerField(help_text="Credits left to spend right after it.")
    reference = models.CharField(max_length=MAX_REFERENCE_LENGTH)
    idempotency_key = models.CharField(  # noqa: DJ001 unique where it is given
        max_length=MAX_IDEMPOTENCY_KEY_LENGTH, null=True
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        permissions = (
            ("refund_spend", "Can refund spends"),
            ("release_hold", "Can release holds"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "idempotency_key"),
                name="one_spend_per_organization_and_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, unit_credits__gte=1)
                & Q(credits=F("quantity") * F("unit_credits")),
                name="spend_credits_are_quantity_times_price",
            ),
            models.CheckConstraint(
                condition=Q(released_credits__gte=0, refunded_credits__gte=0)
                & Q(credits__gte=F("released_credits") + F("refunded_credits")),
                name="spend_never_gives_back_more_than_it_took",
            ),
            models.CheckConstraint(
                condition=Q(hold_expires_at__isnull=False) | Q(status="spent"),
                name="only_holds_are_held_released_or_expired",
            ),
        )
        indexes = (
            models.Index(fields=("organization", "-created_at"), name="spends_by_organization"),
            models.Index(
                fields=("organization", "hold_expires_at"),
                condition=Q(status="held"),
                name="open_holds",
            ),
            # The few that nobody finished: they too were set aside beyond their time for a while.
            models.Index(
                fields=("organization", "hold_expires_at"),
                condition=Q(status="expired"),
                name="expired_holds",
            ),
            # Byte by byte, so that it finds what begins with something and has it in order.
            models.Index(
                F("organization"),
                Collate("reference", "C"),
                F("created_at").desc(),
                condition=~Q(reference=""),
                name="spends_by_reference",
            ),
            *_by_time("spends", ordinary=("status", "spent")),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="spends_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="what_was_spent_never_changes",
                exclude=["status", "released_credits", "refunded_credits"],
            ),
            pgtrigger.FSM(
                name="a_hold_ends_once",
                field="status",
                transitions=[("held", "spent"), ("held", "released"), ("held", "expired")],
            ),
        ]

    def __str__(self) -> str:
        return f"{counted(self.credits)} for {self.action}"

    @property
    def returned_credits(self) -> int:
        """Credits given back: refunded, or released from a hold."""
        return self.released_credits + self.refunded_credits

    @property
    def kept_credits(self) -> int:
        return self.credits - self.returned_credits


class Refund(models.Model):
    """Credits of a spend given back; `refunded_after` is the spend's total with this one."""

    id = id_field()
    spend = models.ForeignKey(Spend, on_delete=models.PROTECT, related_name="refunds")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, db_index=False)
    api_key = models.ForeignKey(
        ApiKey, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    credits = models.BigIntegerField(help_text="Whole credits given back.")
    requested_credits = models.BigIntegerField(null=True, help_text="None asks for all.")
    refunded_after = models.BigIntegerField()
    idempotency_key = models.CharField(  # noqa: DJ001 unique where it is given
        max_length=MAX_IDEMPOTENCY_KEY_LENGTH, null=True
    )
    actor = models.ForeignKey(
        User,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="Who of staff gave it back.",
    )
    reason = models.CharField(max_length=MAX_REASON_LENGTH, db_default="")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "idempotency_key"),
                name="one_refund_per_organization_and_idempotency_key",
            ),
            models.CheckConstraint(condition=Q(credits__gt=0), name="refund_credits_positive"),
        )
        indexes = (
            models.Index(fields=("organization", "-created_at"), name="refunds_by_organization"),
            models.Index(fields=("-created_at", "-id"), name="refunds_by_time"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="refunds_are_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            ),
        ]

    def __str__(self) -> str:
        return f"{counted(self.credits)} back"


class Entry(models.Model):
    """One append-only line of the ledger: so many credits in or out of one grant.

    `seq` numbers an organization's entries 1, 2, 3, … without gaps, and `remaining_after` is what
    the grant holds after the line, so that each line can be checked against the one before it.
    """

    class Kind(models.TextChoices):
        GRANT = "grant", "Granted"
        SPEND = "spend", "Spent"
        REFUND = "refund", "Refunded"
        HOLD = "hold", "Set aside"
        RELEASE = "release", "Released"
        EXPIRE = "expire", "Lapsed"
        ADJUST = "adjust", "Adjusted"
        REVOKE = "revoke", "Taken back"
        RESTORE = "restore", "Restored"
        FREEZE = "freeze", "Frozen"
        THAW = "thaw", "Unfrozen"

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
        db_constraint=False,
    )
    seq = models.BigIntegerField()
    grant = models.ForeignKey(
        Grant,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
        db_constraint=False,
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    credits = models.BigIntegerField(help_text="Positive into the grant, negative out of it.")
    remaining_after = models.BigIntegerField()
    spend = models.ForeignKey(
        Spend, null=True, on_delete=models.PROTECT, related_name="entries", db_constraint=False
    )
    actor = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    reason = models.CharField(max_length=MAX_REASON_LENGTH, db_default="")
    adjustment_id = models.UUIDField(
        null=True, help_text="The staff adjustment it belongs to, so that one is made once."
    )
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "entries"
        # By the key: the organization itself would be looked up to sort by its name.
        ordering = ("-organization_id", "-seq")
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "seq"), name="one_entry_per_organization_and_seq"
            ),
            models.UniqueConstraint(
                fields=("adjustment_id", "grant"),
                condition=Q(adjustment_id__isnull=False),
                name="one_entry_per_adjustment_and_grant",
            ),
            models.CheckConstraint(condition=~Q(credits=0), name="entry_moves_credits"),
            models.CheckConstraint(
                condition=Q(remaining_after__gte=0), name="entry_never_below_zero"
            ),
        )
        indexes = (
            *_by_time("entries", ordinary=("kind", "spend")),
            # A grant's last entry until a moment, which says what was left in it, is one probe.
            models.Index(fields=("grant", "-created_at", "-seq"), name="entries_by_grant"),
            models.Index(
                fields=("grant",),
                condition=Q(kind__in=("revoke", "restore", "freeze", "thaw")),
                name="money_back_entries",
            ),
            # The few that staff made, however many there are in all.
            models.Index(
                fields=("organization", "-seq"),
                condition=Q(actor__isnull=False),
                name="staff_entries",
            ),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="entries_are_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.get_kind_display()} {self.credits:+}"
