from datetime import datetime

from django.db import models

from credits.models.users import User


class StaffKey(models.Model):
    """A secret with which a program reads the API in the name of a member of staff.

    It may do what its user may, at each moment, and nothing once it has ended. Only the SHA-256 of
    the secret is kept. Make one with `credits.staff_keys.create_key`.
    """

    user = models.ForeignKey(
        User, editable=False, on_delete=models.CASCADE, related_name="staff_keys"
    )
    name = models.CharField(max_length=100, help_text="What it is for, such as Support dashboard.")
    prefix = models.CharField(
        max_length=20, editable=False, help_text="The start of the key, to tell keys apart."
    )
    secret_sha256 = models.BinaryField(max_length=32, unique=True, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(
        null=True, editable=False, help_text="Kept to within five minutes."
    )
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def works_at(self, now: datetime) -> bool:
        """Whether it opens the API at a moment, as far as it is up to the key."""
        return self.revoked_at is None and self.expires_at > now
