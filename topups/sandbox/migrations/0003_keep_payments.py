from django.db import migrations
from django.db.models import F


def keep_payments(apps, schema_editor):
    """Give each session the totals it had, and each paid one the payment it only named."""
    Session = apps.get_model("sandbox", "Session")
    Payment = apps.get_model("sandbox", "Payment")
    Session.objects.update(amount_subtotal=F("amount_total"), payment_method_types=["card"])
    for session in Session.objects.exclude(payment_intent=""):
        session.payment = Payment.objects.create(
            pk=session.payment_intent,
            status="succeeded",
            method="card",
            amount=session.amount_total,
            currency=session.currency,
            created_at=session.created_at,
        )
        session.save()


class Migration(migrations.Migration):
    dependencies = [("sandbox", "0002_payments")]

    operations = [migrations.RunPython(keep_payments, migrations.RunPython.noop, elidable=True)]
