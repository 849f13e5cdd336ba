from django.db import migrations, models

from credits.indexes import build


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("credits", "0022_staff_entries")]

    operations = [
        *build(
            "grant",
            models.Index(
                fields=["expires_at"],
                condition=models.Q(is_open=True, expires_at__isnull=False)
                & ~models.Q(kind="weekly"),
                name="grants_to_lapse",
            ),
        ),
    ]
