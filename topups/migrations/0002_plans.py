from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# name: (credits, price in cents)
PLANS = {
    "Small": (500, 10_00),
    "Medium": (2_000, 36_00),
    "Large": (10_000, 150_00),
}


def add_plans(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    plans = apps.get_model("topups", "Plan").objects
    for position, (name, (amount, amount_minor)) in enumerate(PLANS.items(), start=1):
        plans.create(
            name=name,
            credits=amount,
            amount_minor=amount_minor,
            currency="usd",
            position=position,
        )


class Migration(migrations.Migration):
    dependencies = [("topups", "0001_initial")]

    operations = [migrations.RunPython(add_plans, migrations.RunPython.noop)]
