from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    """Totals are planned for each range of entries anew."""

    dependencies = [("credits", "0023_lapses")]

    operations = [sql.install("totals.sql")]
