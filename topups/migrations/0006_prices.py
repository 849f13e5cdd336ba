from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Exists, F, OuterRef, Q


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
    same_moment = Q(created_at=OuterRef("created_at"), pk__gt=OuterRef("pk"))
    newer = purchases.filter(
        same_moment | Q(created_at__gt=OuterRef("created_at")),
        **{name: OuterRef(name) for name in offer},
    )
    purchases.filter(Exists(newer), status="pending").update(status="expired", next_check_at=None)


def keep_currencies(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Who has bought goes on in the currency of the last purchase."""
    accounts = apps.get_model("topups", "BillingAccount").objects
    last = apps.get_model("topups", "Purchase").objects.order_by("organization", "-created_at")
    accounts.bulk_create(
        accounts.model(organization_id=organization_id, currency=currency)
        for organization_id, currency in last.distinct("organization").values_list(
            "organization", "currency"
        )
    )


class Migration(migrations.Migration):
    dependencies = [("topups", "0005_payments")]

    operations = [
        migrations.RunPython(move_prices, migrations.RunPython.noop),
        migrations.RunPython(complete_purchases, migrations.RunPython.noop),
        migrations.RunPython(keep_currencies, migrations.RunPython.noop),
    ]
