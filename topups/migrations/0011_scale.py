from django.db import migrations
from django.db.models import Index

from credits.indexes import build


class Migration(migrations.Migration):
    """So that staff find payments and events by what is rare among hundreds of thousands."""

    atomic = False

    dependencies = [("topups", "0010_accounting")]

    operations = [
        *build(
            "purchase",
            Index(fields=["status", "-created_at", "-id"], name="purchases_by_status"),
        ),
        *build(
            "paymentrefund", Index(fields=["-created_at", "-id"], name="payment_refunds_by_time")
        ),
        *build("dispute", Index(fields=["-created_at"], name="disputes_by_time")),
        migrations.AlterModelOptions(
            name="billingaccount", options={"ordering": ("-organization_id",)}
        ),
        *build(
            "billingaccount",
            Index(fields=["email"], name="billing_accounts_by_address"),
            Index(fields=["currency", "-organization"], name="billing_accounts_by_currency"),
        ),
        *build(
            "stripeevent",
            Index(fields=["status", "-received_at", "-id"], name="stripe_events_by_status"),
            Index(fields=["type", "-received_at", "-id"], name="stripe_events_by_type"),
        ),
    ]
