import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from credits.ledger import sql


def add_schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Staff may change the row in the admin."""
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="minutes"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name="Ledger totals",
        defaults={"task": "credits.tasks.roll_up_totals", "interval": interval},
    )


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0013_spend_reference"),
    ]

    operations = [
        migrations.CreateModel(
            name="TotalsMark",
            fields=[
                (
                    "id",
                    models.SmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "entry_id",
                    models.BigIntegerField(
                        default=0, help_text="The last entry that is in the totals."
                    ),
                ),
                (
                    "as_of",
                    models.DateTimeField(
                        help_text="When all entries there were had been added.", null=True
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_totals_mark")
                ],
            },
        ),
        migrations.CreateModel(
            name="DayTotal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                (
                    "grant_kind",
                    models.CharField(
                        choices=[
                            ("weekly", "Weekly bundle"),
                            ("top_up", "Top-up"),
                            ("staff", "Staff adjustment"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "entry_kind",
                    models.CharField(
                        choices=[
                            ("grant", "Granted"),
                            ("spend", "Spent"),
                            ("refund", "Refunded"),
                            ("hold", "Set aside"),
                            ("release", "Released"),
                            ("expire", "Lapsed"),
                            ("adjust", "Adjusted"),
                            ("revoke", "Taken back"),
                            ("restore", "Restored"),
                            ("freeze", "Frozen"),
                            ("thaw", "Unfrozen"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "credits",
                    models.BigIntegerField(
                        help_text="Positive into the grants, negative out of them."
                    ),
                ),
                ("entries", models.BigIntegerField()),
                (
                    "action",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="credits.action",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("day", "entry_kind", "grant_kind", "action"),
                        name="one_total_per_day_kinds_and_action",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="GrantMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(help_text="Its first day.")),
                ("granted", models.BigIntegerField()),
                ("used", models.BigIntegerField(help_text="Spent, less what came back of it.")),
                ("lapsed", models.BigIntegerField()),
                ("taken_back", models.BigIntegerField(help_text="Because the money went back.")),
                ("adjusted", models.BigIntegerField(help_text="Taken by staff.")),
                ("set_aside", models.BigIntegerField(help_text="By holds, less what they let go.")),
                ("frozen", models.BigIntegerField(help_text="By disputes, less what came free.")),
                ("closing", models.BigIntegerField()),
                (
                    "grant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="credits.grant",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["month"], name="grant_months_by_month")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("grant", "month"), name="one_row_per_grant_and_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("closing__gte", 0)), name="grant_month_never_below_zero"
                    ),
                ],
            },
        ),
        sql.install("totals.sql"),
        migrations.RunPython(add_schedule, migrations.RunPython.noop),
    ]
