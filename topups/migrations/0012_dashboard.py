from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Outside a transaction, so that purchases go on while the indexes are built."""

    atomic = False

    dependencies = [
        ("topups", "0009_purchases_by_time"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="purchase",
            index=models.Index(
                condition=models.Q(("status", "paid")),
                fields=["paid_at"],
                include=("currency", "paid_minor"),
                name="sales_by_time",
            ),
        ),
        AddIndexConcurrently(
            model_name="paymentrefund",
            index=models.Index(
                condition=models.Q(("status__in", ("pending", "requires_action", "succeeded"))),
                fields=["created_at"],
                name="refunds_given_by_time",
            ),
        ),
        AddIndexConcurrently(
            model_name="dispute",
            index=models.Index(
                condition=models.Q(("is_withdrawn", True)),
                fields=["created_at"],
                name="disputes_withdrawn_by_time",
            ),
        ),
        AddIndexConcurrently(
            model_name="stripeevent",
            index=models.Index(
                condition=models.Q(("status", "failed")),
                fields=["-received_at", "-id"],
                name="failed_stripe_events",
            ),
        ),
    ]
