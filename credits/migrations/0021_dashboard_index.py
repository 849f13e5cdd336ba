from django.db import migrations, models

from credits.indexes import build


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("credits", "0021_dashboard")]

    operations = [
        *build(
            "wallet",
            models.Index(
                fields=["organization"],
                condition=models.Q(out_of_credits_at__isnull=False),
                name="wallets_out_of_credits",
            ),
        ),
    ]
