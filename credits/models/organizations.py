import secrets
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from credits.models.users import User
from credits.models.words import Words

MAX_CREDITS = 1_000_000_000
_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_public_id() -> str:
    """An organization id of 80 random bits that says nothing about how many there are."""
    return "org_" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(16))


def default_weekly_credits() -> int:
    return settings.WEEKLY_CREDITS_DEFAULT


class Organization(models.Model):
    """The customer account that holds credits.

    `weekly_credits` is the free bundle of each week (whole credits, 0 for none); change it with
    `ledger.change_bundle`, so that the week under way keeps the bundle it began with. Members of
    an organization that may see its balance are told when it falls below `low_balance_credits`
    (1 to 1,000,000,000, None for never); change it with `ledger.change_threshold`.
    """

    public_id = models.CharField(max_length=20, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=200)
    weekly_credits = models.PositiveBigIntegerField(
        "weekly bundle",
        default=default_weekly_credits,
        validators=[MaxValueValidator(MAX_CREDITS)],
        help_text="Free credits every Monday 00:00 UTC. A change counts from the next Monday.",
    )
    show_balance = models.BooleanField(
        "show balance and usage",
        default=False,
        help_text="Whether the customer may see its balance and usage, on pages and in the API.",
    )
    low_balance_credits = models.PositiveBigIntegerField(
        "low below",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CREDITS)],
        help_text="Its owners choose below how many credits its members are told.",
    )
    suspended_at = models.DateTimeField(
        null=True, blank=True, help_text="While this is set, spends and holds are refused."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="organizations")

    class Meta:
        ordering = ("name", "id")
        permissions = (("adjust_credits", "Can adjust credits"),)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(weekly_credits__lte=MAX_CREDITS),
                name="weekly_credits_within_limit",
            ),
            models.CheckConstraint(
                condition=models.Q(low_balance_credits=None)
                | models.Q(low_balance_credits__gte=1, low_balance_credits__lte=MAX_CREDITS),
                name="low_balance_credits_within_limits",
            ),
        )
        indexes = (
            GinIndex(Words("name"), fastupdate=False, name="organizations_by_words"),
            models.Index(fields=("name", "id"), name="organizations_by_name"),
            models.Index(
                fields=("name", "id"),
                condition=models.Q(suspended_at__isnull=False),
                name="suspended_organizations",
            ),
            models.Index(
                fields=("name", "id"),
                condition=models.Q(show_balance=True),
                name="organizations_that_see",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None


class Membership(models.Model):
    """A user's place in an organization: both roles top up, owners manage its people and API keys.

    Change it with the verbs of `credits.people`, which also write the activity list.
    """

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        MEMBER = "member", _("Member")

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "user"), name="one_membership_per_user_and_organization"
            ),
        )
        triggers: ClassVar = [
            # Looks at commit, so that an owner can be replaced in any order; and one by one, since
            # two owners who leave at the same moment would each still see the other one.
            pgtrigger.Trigger(
                name="the_last_owner_stays",
                when=pgtrigger.After,
                timing=pgtrigger.Deferred,
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Q(old__role="owner"),
                func="""
                    PERFORM FROM credits_organization WHERE id = OLD.organization_id
                        FOR NO KEY UPDATE;
                    IF FOUND AND NOT EXISTS (
                        SELECT FROM credits_membership
                            WHERE organization_id = OLD.organization_id AND role = 'owner'
                    ) THEN
                        RAISE EXCEPTION 'organization % needs an owner', OLD.organization_id;
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"
