import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from credits import staff

# What went back before there were lines for it, by the dates that Stripe told.
BACKFILL = """
    INSERT INTO topups_moneyback (purchase_id, currency, amount_minor, tax_minor, posted_at)
    SELECT purchase_id, currency, amount_minor,
        tax_minor * least(gone, paid_minor) / paid_minor
            - tax_minor * least(gone - amount_minor, paid_minor) / paid_minor,
        at
    FROM (
        SELECT f.purchase_id, f.amount_minor, f.at, p.currency, p.tax_minor::bigint AS tax_minor,
            p.paid_minor, sum(f.amount_minor) OVER (
                PARTITION BY f.purchase_id ORDER BY f.at, f.id
            )::bigint AS gone
        FROM (
            SELECT purchase_id, amount_minor::bigint, created_at AS at, id::text
            FROM topups_paymentrefund WHERE status IN ('pending', 'requires_action', 'succeeded')
            UNION ALL
            SELECT purchase_id, amount_minor::bigint, as_of, stripe_dispute_id
            FROM topups_dispute WHERE status = 'lost' OR (status = 'prevented' AND is_withdrawn)
        ) f
        JOIN topups_purchase p ON p.id = f.purchase_id AND p.paid_minor > 0
        WHERE f.amount_minor > 0
    ) facts
"""


def add_schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Staff may change the row in the admin."""
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=5, period="minutes"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name="Finance's months",
        defaults={"task": "topups.tasks.roll_up_months", "interval": interval},
    )


def permit(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    staff.permit(apps, staff.FINANCE, "topups", "^view_monthtotal$|^close_month$")
    staff.permit(apps, staff.ADMINISTRATORS, "topups", staff.EVERYTHING)


class Migration(migrations.Migration):
    dependencies = [
        ("topups", "0009_purchases_by_time"),
        ("credits", "0014_totals"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ClosedMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(help_text="Its first day.")),
                ("currency", models.CharField(max_length=3)),
                ("sales", models.BigIntegerField(default=0, help_text="Top-ups granted.")),
                ("sold_credits", models.BigIntegerField(default=0)),
                (
                    "sold_minor",
                    models.BigIntegerField(default=0, help_text="Paid for them, less tax."),
                ),
                ("recognized_credits", models.BigIntegerField(default=0)),
                (
                    "recognized_minor",
                    models.BigIntegerField(default=0, help_text="Used, less what came back."),
                ),
                ("lapsed_credits", models.BigIntegerField(default=0)),
                ("lapsed_minor", models.BigIntegerField(default=0)),
                ("refunded_credits", models.BigIntegerField(default=0)),
                (
                    "refunded_minor",
                    models.BigIntegerField(default=0, help_text="Deferred money that went back."),
                ),
                ("adjusted_credits", models.BigIntegerField(default=0)),
                ("adjusted_minor", models.BigIntegerField(default=0, help_text="Taken by staff.")),
                ("held_credits", models.BigIntegerField(default=0)),
                (
                    "held_minor",
                    models.BigIntegerField(default=0, help_text="Set aside, less what came free."),
                ),
                ("frozen_credits", models.BigIntegerField(default=0)),
                (
                    "frozen_minor",
                    models.BigIntegerField(default=0, help_text="Disputed, less what came free."),
                ),
                (
                    "list_minor",
                    models.BigIntegerField(default=0, help_text="Sold, before discount and tax."),
                ),
                ("discount_minor", models.BigIntegerField(default=0)),
                ("tax_minor", models.BigIntegerField(default=0)),
                (
                    "paid_minor",
                    models.BigIntegerField(default=0, help_text="After discount and with tax."),
                ),
                ("closing_credits", models.BigIntegerField()),
                ("closing_minor", models.BigIntegerField(help_text="Deferred at its end.")),
                (
                    "money_back_minor",
                    models.BigIntegerField(help_text="Given back or lost, with tax."),
                ),
                ("money_back_tax_minor", models.BigIntegerField()),
                ("closed_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("-month", "currency"),
                "permissions": (("close_month", "Can close months"),),
            },
        ),
        migrations.CreateModel(
            name="MoneyBack",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("amount_minor", models.BigIntegerField(help_text="With its tax.")),
                ("tax_minor", models.BigIntegerField()),
                ("posted_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("posted_at", "id"),
            },
        ),
        migrations.CreateModel(
            name="MonthTotal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(help_text="Its first day.")),
                ("currency", models.CharField(max_length=3)),
                ("sales", models.BigIntegerField(default=0, help_text="Top-ups granted.")),
                ("sold_credits", models.BigIntegerField(default=0)),
                (
                    "sold_minor",
                    models.BigIntegerField(default=0, help_text="Paid for them, less tax."),
                ),
                ("recognized_credits", models.BigIntegerField(default=0)),
                (
                    "recognized_minor",
                    models.BigIntegerField(default=0, help_text="Used, less what came back."),
                ),
                ("lapsed_credits", models.BigIntegerField(default=0)),
                ("lapsed_minor", models.BigIntegerField(default=0)),
                ("refunded_credits", models.BigIntegerField(default=0)),
                (
                    "refunded_minor",
                    models.BigIntegerField(default=0, help_text="Deferred money that went back."),
                ),
                ("adjusted_credits", models.BigIntegerField(default=0)),
                ("adjusted_minor", models.BigIntegerField(default=0, help_text="Taken by staff.")),
                ("held_credits", models.BigIntegerField(default=0)),
                (
                    "held_minor",
                    models.BigIntegerField(default=0, help_text="Set aside, less what came free."),
                ),
                ("frozen_credits", models.BigIntegerField(default=0)),
                (
                    "frozen_minor",
                    models.BigIntegerField(default=0, help_text="Disputed, less what came free."),
                ),
                (
                    "list_minor",
                    models.BigIntegerField(default=0, help_text="Sold, before discount and tax."),
                ),
                ("discount_minor", models.BigIntegerField(default=0)),
                ("tax_minor", models.BigIntegerField(default=0)),
                (
                    "paid_minor",
                    models.BigIntegerField(default=0, help_text="After discount and with tax."),
                ),
            ],
            options={
                "verbose_name": "month",
                "ordering": ("-month", "currency"),
            },
        ),
        migrations.CreateModel(
            name="MonthTotalsMark",
            fields=[
                (
                    "id",
                    models.SmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "entry_id",
                    models.BigIntegerField(default=0, help_text="The last entry that is in them."),
                ),
                (
                    "as_of",
                    models.DateTimeField(
                        help_text="All entries until then are in them.", null=True
                    ),
                ),
            ],
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="purchase",
            name="what_was_paid_never_changes",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="purchase",
            trigger=pgtrigger.compiler.Trigger(
                name="what_was_paid_never_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."status" = \'paid\' AND (OLD."paid_minor" IS DISTINCT FROM (NEW."paid_minor") OR OLD."tax_minor" IS DISTINCT FROM (NEW."tax_minor") OR OLD."discount_minor" IS DISTINCT FROM (NEW."discount_minor") OR OLD."paid_at" IS DISTINCT FROM (NEW."paid_at") OR OLD."stripe_payment_intent_id" IS DISTINCT FROM (NEW."stripe_payment_intent_id")))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="1e9c40185e5ee2d6e187d5de9dccf476edc604e5",
                    operation="UPDATE",
                    pgid="pgtrigger_what_was_paid_never_changes_118e3",
                    table="topups_purchase",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="closedmonth",
            name="closed_by",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="moneyback",
            name="purchase",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="money_back",
                to="topups.purchase",
            ),
        ),
        migrations.AddConstraint(
            model_name="monthtotal",
            constraint=models.UniqueConstraint(
                fields=("month", "currency"), name="one_total_per_month"
            ),
        ),
        migrations.AddConstraint(
            model_name="monthtotalsmark",
            constraint=models.CheckConstraint(
                condition=models.Q(("id", 1)), name="one_month_totals_mark"
            ),
        ),
        migrations.AddConstraint(
            model_name="closedmonth",
            constraint=models.UniqueConstraint(
                fields=("month", "currency"), name="a_month_is_closed_once"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="closedmonth",
            trigger=pgtrigger.compiler.Trigger(
                name="closed_months_are_append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="2f0fdf54a49350da73dcf9bf44c96b8c09134e0a",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_closed_months_are_append_only_d0c99",
                    table="topups_closedmonth",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="moneyback",
            index=models.Index(fields=["posted_at"], name="money_back_by_time"),
        ),
        migrations.AddConstraint(
            model_name="moneyback",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor", 0), _negated=True),
                name="money_back_moves_money",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="moneyback",
            trigger=pgtrigger.compiler.Trigger(
                name="money_back_is_append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="89fb3cf2eaa92e978d5ed57d0e8f3964f24c3cf6",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_money_back_is_append_only_bef06",
                    table="topups_moneyback",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunPython(add_schedule, migrations.RunPython.noop),
        migrations.RunPython(permit, migrations.RunPython.noop),
        # Last, as no table can be changed once it has rows of this transaction.
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
    ]
