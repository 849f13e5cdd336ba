from django.db import migrations
from django.db.models import Index, Q

from credits.indexes import build


class Migration(migrations.Migration):
    """So that adjustments are found by their reason and their ticket, however many there are."""

    atomic = False

    dependencies = [("credits", "0023_lapses")]

    operations = build(
        "adjustment",
        Index(fields=["reason", "-created_at", "-id"], name="adjustments_by_reason"),
        Index(
            fields=["ticket"],
            condition=Q(("ticket", ""), _negated=True),
            name="adjustments_by_ticket",
        ),
    )
