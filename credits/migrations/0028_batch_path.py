from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    """So that a batch is looked up with its key, and made by one statement with one plan."""

    dependencies = [("credits", "0027_refill_speed")]

    operations = [sql.install("batches.sql", "grouping.sql")]
