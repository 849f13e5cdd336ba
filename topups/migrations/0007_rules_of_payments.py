import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("topups", "0006_prices"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="plan",
            name="amount_minor",
        ),
        migrations.RemoveField(
            model_name="plan",
            name="currency",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="purchase",
            trigger=pgtrigger.compiler.Trigger(
                name="what_was_paid_never_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."status" = \'paid\' AND (OLD."paid_minor" IS DISTINCT FROM (NEW."paid_minor") OR OLD."paid_at" IS DISTINCT FROM (NEW."paid_at") OR OLD."stripe_payment_intent_id" IS DISTINCT FROM (NEW."stripe_payment_intent_id")))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="08ab05a1721a89a73c8bcebc293442554a072231",
                    operation="UPDATE",
                    pgid="pgtrigger_what_was_paid_never_changes_118e3",
                    table="topups_purchase",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="purchase",
            trigger=pgtrigger.compiler.Trigger(
                name="a_purchase_only_moves_forward",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{pending:expired,pending:processing,pending:failed,pending:paid,expired:processing,expired:failed,expired:paid,processing:failed,processing:paid,failed:paid}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="6f2589b5b48761162c7469492d247c00650e9297",
                    operation="UPDATE",
                    pgid="pgtrigger_a_purchase_only_moves_forward_894cc",
                    table="topups_purchase",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="purchase",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("paid_at__isnull", False),
                        ("paid_minor__isnull", False),
                        ("status", "paid"),
                        ("stripe_session_id__isnull", False),
                    ),
                    models.Q(
                        models.Q(("status", "paid"), _negated=True),
                        ("paid_at__isnull", True),
                        ("paid_minor__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="purchase_paid_exactly_when_it_has_time_amount_and_session",
            ),
        ),
        migrations.AddConstraint(
            model_name="purchase",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("next_check_at__isnull", False), ("status__in", ("pending", "processing"))
                    ),
                    models.Q(
                        models.Q(("status__in", ("pending", "processing")), _negated=True),
                        ("next_check_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="purchase_checked_exactly_while_undecided",
            ),
        ),
        migrations.AddConstraint(
            model_name="purchase",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "pending")),
                fields=("organization", "buyer", "plan", "credits", "amount_minor", "currency"),
                name="one_open_checkout_per_buyer_and_offer",
            ),
        ),
        migrations.AddConstraint(
            model_name="purchase",
            constraint=models.UniqueConstraint(
                condition=models.Q(("stripe_payment_intent_id", ""), _negated=True),
                fields=("stripe_payment_intent_id",),
                name="one_purchase_per_payment",
            ),
        ),
    ]
