from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Outside a transaction, so that purchases go on while the index is built."""

    atomic = False

    dependencies = [
        ("topups", "0011_scale"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="purchase",
            index=models.Index(
                condition=models.Q(("status", "paid")),
                fields=["paid_at"],
                include=("currency", "paid_minor"),
                name="sales_by_time",
            ),
        ),
    ]
