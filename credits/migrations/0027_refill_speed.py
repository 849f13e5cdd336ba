from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    """So that the Monday refill finds each row by its key."""

    dependencies = [("credits", "0025_adjustment_lists")]

    operations = [sql.install("refill.sql")]
