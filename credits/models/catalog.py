import re
from typing import ClassVar

import pgtrigger
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

MAX_ACTION_CREDITS = 1_000_000
ACTION_CODE = r"^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+$"


class Service(models.Model):
    """An AI product, such as Image alt text."""

    name = models.CharField(max_length=100, unique=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Action(models.Model):
    """One thing a service does, and what one use of it costs in whole credits.

    The price counts from the next spend: a spend keeps the price it was made at.
    """

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="actions")
    code = models.CharField(
        max_length=100,
        unique=True,
        validators=[
            RegexValidator(
                ACTION_CODE,
                "Write it like alt-text.generate: lower case words, hyphens and a dot.",
            )
        ],
        help_text="What extensions send, such as alt-text.generate. It cannot be reused.",
    )
    name = models.CharField(max_length=100)
    credits = models.PositiveIntegerField(
        "price in credits",
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_ACTION_CREDITS)],
    )
    is_active = models.BooleanField(
        default=True, help_text="Untick to stop it from being sold; its past spends stay."
    )

    class Meta:
        ordering = ("service__name", "code")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(credits__gte=1, credits__lte=MAX_ACTION_CREDITS),
                name="action_price_within_limits",
            ),
        )
        # Spends name it, and have no foreign key that would keep it.
        triggers: ClassVar = [
            pgtrigger.Protect(name="actions_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="an_action_keeps_its_id", fields=["id"]),
        ]

    def __str__(self) -> str:
        return self.code


class Wording(models.Model):
    """The words customers read, in the one row there is."""

    # Plain names only: str.format would let a message reach into objects, or grow without end.
    PLACEHOLDER = re.compile(r"\{(credits_name|weekly_credits|next_refill)\}")

    credits_name = models.CharField(
        max_length=50, default="credits", help_text="What the credits are called."
    )
    out_of_credits_message = models.CharField(
        max_length=300,
        default="You've used all your {credits_name}.",
        help_text="Shown when credits run out. {credits_name} is filled in.",
    )
    next_refill_message = models.CharField(
        max_length=300,
        default="Your next {weekly_credits} free credits come on {next_refill}.",
        help_text=(
            "Follows where the organization has a weekly bundle. {weekly_credits} and "
            "{next_refill} are filled in."
        ),
    )

    class Meta:
        verbose_name_plural = "wording"
        constraints = (
            models.CheckConstraint(condition=models.Q(id=1), name="wording_has_one_row"),
        )

    def __str__(self) -> str:
        return "Wording"

    @classmethod
    def current(cls) -> "Wording":
        """The words in force; the defaults where the row is missing."""
        return cls.objects.first() or cls()

    def clean(self) -> None:
        errors = {
            field: "Only {credits_name}, {weekly_credits} and {next_refill} can be filled in."
            for field in ("out_of_credits_message", "next_refill_message")
            if set("{}") & set(self.PLACEHOLDER.sub("", getattr(self, field)))
        }
        if errors:
            raise ValidationError(errors)
