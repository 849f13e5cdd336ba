from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    """So that the Monday refill finds each row by its key."""

    dependencies = [("credits", "0026_spend_speed")]

    operations = [sql.install("refill.sql")]
