from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Exists, F, OuterRef


def move_prices(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    prices = apps.get_model("topups", "Price").objects
    for plan in apps.get_model("topups", "Plan").objects.all():
        prices.create(plan=plan, currency=plan.currency, amount_minor=plan.amount_minor)


def complete_purchases(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Until now nothing was paid but the price; and two clicks could open two checkouts."""
    purchases = apps.get_model("topups", "Purchase").objects
    purchases.filter(status="paid").update(paid_minor=F("amount_minor"))
    # Of open checkouts of one offer the newest stays. Should an older one be paid, it counts.
    offer = ("organization", "buyer", "plan", "credits", "amount_minor", "currency", "status")
    newer = purchases.filter(
        **{name: OuterRef(name) for name in offer}, created_at__gt=OuterRef("created_at")
    )
    purchases.filter(Exists(newer), status="pending").update(status="expired", next_check_at=None)


class Migration(migrations.Migration):
    dependencies = [("topups", "0005_payments")]

    operations = [
        migrations.RunPython(move_prices, migrations.RunPython.noop),
        migrations.RunPython(complete_purchases, migrations.RunPython.noop),
    ]
