from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    """So that a batch is looked up with its key, and made by one statement with one plan."""

    dependencies = [("credits", "0029_refill_again")]

    operations = [sql.install("batches.sql", "grouping.sql")]
