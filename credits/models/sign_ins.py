from typing import ClassVar

import pgtrigger
from django.db import models

from credits.models.users import User

MAX_USER_AGENT_LENGTH = 200


class SignIn(models.Model):
    """One try to sign in, or the end of a session; append-only, and forgotten after a time.

    Write it with `credits.sign_ins.record`. The database lets no line go that is younger than 30
    days, whatever the settings say.
    """

    class Outcome(models.TextChoices):
        SIGNED_IN = "signed_in", "Signed in"
        WRONG_PASSWORD = "wrong_password", "Wrong password"
        WRONG_CODE = "wrong_code", "Wrong code"
        REFUSED = "refused", "Refused"
        SIGNED_OUT = "signed_out", "Signed out"
        TIMED_OUT = "timed_out", "Timed out"

    at = models.DateTimeField()
    user = models.ForeignKey(
        User,
        null=True,
        on_delete=models.PROTECT,
        related_name="sign_ins",
        db_index=False,
        help_text="None where nobody has the address.",
    )
    email = models.EmailField("email address", help_text="As it was tried, in lower case.")
    outcome = models.CharField(max_length=20, choices=Outcome.choices)
    methods = models.CharField(
        max_length=100, help_text="What was given to sign in: password, totp, recovery_codes."
    )
    ip = models.GenericIPAddressField("IP address", null=True)
    user_agent = models.CharField("browser", max_length=MAX_USER_AGENT_LENGTH)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = "sign-in"
        indexes = (
            models.Index(fields=("-at", "-id"), name="sign_ins_by_time"),
            models.Index(fields=("user", "-at", "-id"), name="sign_ins_by_user"),
            models.Index(fields=("email", "-at", "-id"), name="sign_ins_by_email"),
            models.Index(fields=("ip", "-at", "-id"), name="sign_ins_by_ip"),
            models.Index(fields=("outcome", "-at", "-id"), name="sign_ins_by_outcome"),
        )
        triggers: ClassVar = [
            pgtrigger.Protect(name="sign_ins_are_append_only", operation=pgtrigger.Update),
            pgtrigger.Protect(
                name="young_sign_ins_stay",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Condition("OLD.at > now() - interval '30 days'"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email}: {self.get_outcome_display()}"
