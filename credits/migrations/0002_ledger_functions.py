from django.db import migrations

from credits.ledger import sql


class Migration(migrations.Migration):
    dependencies = [("credits", "0001_initial")]

    operations = [sql.install(*sql.FILES)]
