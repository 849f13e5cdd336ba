from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("credits", "0017_row_actions")]

    operations = [
        AddIndexConcurrently(
            "grant",
            models.Index(
                fields=["expires_at"],
                condition=Q(is_open=True, expires_at__isnull=False) & ~Q(kind="weekly"),
                name="grants_to_lapse",
            ),
        ),
    ]
