from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    """So that without a bundle a new week makes no spend slower, and no refusal."""

    dependencies = [("credits", "0027_refill_speed")]

    operations = [sql.install("posting.sql", "spending.sql", "batches.sql")]
