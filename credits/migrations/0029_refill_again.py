from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    """So that the Monday refill asks the operating system for random bits once per chunk."""

    dependencies = [("credits", "0028_nothing_due")]

    operations = [sql.install("refill.sql")]
