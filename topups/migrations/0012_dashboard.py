from django.db import migrations, models

from credits.indexes import build


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("topups", "0011_scale")]

    operations = [
        *build(
            "purchase",
            models.Index(
                fields=["paid_at"],
                include=("currency", "paid_minor"),
                condition=models.Q(status="paid"),
                name="sales_by_time",
            ),
        ),
    ]
