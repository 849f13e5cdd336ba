from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    """So that spends that arrive together are made together."""

    dependencies = [("credits", "0025_adjustment_lists")]

    operations = [sql.install("spending.sql", "grouping.sql")]
