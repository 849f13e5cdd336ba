from django.db import models
from django.db.models import Q

from credits.models.organizations import Organization


class TokenUse(models.Model):
    """The credits that a browser token has spent, from its first spend until after its end.

    `id` is the token's; the token itself is nowhere. The spend writes it, under the wallet's lock,
    and never beyond the limit that the token has.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    credits = models.BigIntegerField(help_text="Whole credits of its spends and holds.")
    expires_at = models.DateTimeField(help_text="When the token ends.")

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(credits__gte=0), name="token_use_not_negative"),
        )
        indexes = (models.Index(fields=("expires_at",), name="token_uses_by_end"),)

    def __str__(self) -> str:
        return f"{self.credits:,} of token {self.pk}"
