from django.db import migrations, models


class Migration(migrations.Migration):
    """So that the admin's list of a million purchases begins at once."""

    dependencies = [("topups", "0008_schedule_and_permissions")]

    operations = [
        migrations.AddIndex(
            model_name="purchase",
            index=models.Index(fields=["-created_at", "-id"], name="purchases_by_time"),
        ),
    ]
