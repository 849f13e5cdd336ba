from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """So that what staff did to an organization's credits is found among millions of entries.

    The index is built while spends go on. An interrupted build leaves an invalid one behind, which
    the next try drops.
    """

    atomic = False

    dependencies = [("credits", "0021_dashboard_index")]

    operations = [
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS staff_entries", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            model_name="entry",
            index=models.Index(
                fields=["organization", "-seq"],
                condition=models.Q(actor__isnull=False),
                name="staff_entries",
            ),
        ),
    ]
