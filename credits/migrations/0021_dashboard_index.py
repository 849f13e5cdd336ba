from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """By itself and outside a transaction, so that spends go on while it is built."""

    atomic = False

    dependencies = [
        ("credits", "0021_dashboard"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="wallet",
            index=models.Index(
                condition=models.Q(("out_of_credits_at__isnull", False)),
                fields=["organization"],
                name="wallets_out_of_credits",
            ),
        ),
    ]
