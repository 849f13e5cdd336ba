from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sandbox", "0003_keep_payments")]

    operations = [
        migrations.RemoveField(
            model_name="session",
            name="payment_intent",
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("amount_total__gt", 0),
                        ("payment__isnull", False),
                        ("status", "complete"),
                        models.Q(("payment_status", "no_payment_required"), _negated=True),
                    ),
                    models.Q(
                        ("amount_total", 0),
                        ("payment", None),
                        ("status", "complete"),
                        ("payment_status", "no_payment_required"),
                    ),
                    models.Q(
                        models.Q(("status", "complete"), _negated=True),
                        ("payment", None),
                        ("payment_status", "unpaid"),
                    ),
                    _connector="OR",
                ),
                name="session_has_a_payment_exactly_when_complete_and_not_free",
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "amount_total",
                            models.expressions.CombinedExpression(
                                models.F("amount_subtotal"), "-", models.F("amount_discount")
                            ),
                        ),
                        ("tax_behavior", "inclusive"),
                    ),
                    models.Q(
                        models.Q(("tax_behavior", "inclusive"), _negated=True),
                        (
                            "amount_total",
                            models.expressions.CombinedExpression(
                                models.expressions.CombinedExpression(
                                    models.F("amount_subtotal"), "-", models.F("amount_discount")
                                ),
                                "+",
                                models.F("amount_tax"),
                            ),
                        ),
                    ),
                    _connector="OR",
                ),
                name="session_adds_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("promotion_code", None), ("amount_discount__gt", 0), _connector="XOR"
                ),
                name="session_has_a_discount_exactly_by_a_promotion_code",
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_tax", 0),
                    models.Q(("automatic_tax", True), models.Q(("country", ""), _negated=True)),
                    _connector="OR",
                ),
                name="session_is_taxed_where_the_customer_is",
            ),
        ),
        migrations.AlterField(
            model_name="session",
            name="amount_subtotal",
            field=models.PositiveBigIntegerField(),
        ),
    ]
