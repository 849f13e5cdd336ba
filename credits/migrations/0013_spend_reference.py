from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Collate


class Migration(migrations.Migration):
    """So that a spend is found by its reference among millions.

    The index is built while spends go on. An interrupted build leaves an invalid one behind, which
    the next try drops.
    """

    atomic = False

    dependencies = [("credits", "0012_browser_tokens")]

    operations = [
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS spends_by_reference", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            model_name="spend",
            index=models.Index(
                models.F("organization"),
                Collate("reference", "C"),
                models.F("created_at").desc(),
                condition=models.Q(("reference", ""), _negated=True),
                name="spends_by_reference",
            ),
        ),
    ]
