from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    """So that the Monday refill asks the operating system for random bits once per chunk."""

    dependencies = [("credits", "0027_refill_speed")]

    operations = [sql.install("refill.sql")]
