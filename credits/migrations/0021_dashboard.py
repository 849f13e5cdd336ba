import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from credits import staff


def permit(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for group in (staff.SUPPORT, staff.FINANCE, staff.ADMINISTRATORS):
        staff.permit(apps, group, "credits", "^view_jobrun$")


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0020_scale"),
    ]

    operations = [
        migrations.CreateModel(
            name="JobRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "job",
                    models.CharField(
                        choices=[("refill", "Refill"), ("ledger_check", "Ledger check")],
                        max_length=20,
                    ),
                ),
                (
                    "as_of",
                    models.DateTimeField(
                        help_text="The moment it ran for; a refill's names its week."
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("done", "Done"),
                            ("findings", "Rows are off"),
                            ("broke_off", "Broke off"),
                        ],
                        db_default="running",
                        default="running",
                        max_length=10,
                    ),
                ),
                (
                    "count",
                    models.BigIntegerField(
                        db_default=0,
                        default=0,
                        help_text="Organizations recharged, or rows that are off.",
                    ),
                ),
                (
                    "summary",
                    models.TextField(
                        db_default="",
                        default="",
                        help_text="The first rows that are off, or why it broke off.",
                    ),
                ),
            ],
            options={
                "ordering": ("-started_at", "-id"),
                "indexes": [
                    models.Index(fields=["job", "-started_at"], name="job_runs_by_job_and_time")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", True), ("outcome", "running")),
                            models.Q(
                                models.Q(("outcome", "running"), _negated=True),
                                ("finished_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="job_runs_exactly_until_it_is_finished",
                    )
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="jobrun",
            trigger=pgtrigger.compiler.Trigger(
                name="a_finished_run_never_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."finished_at" IS NOT NULL)',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="58ef92603aaed92bc7653cdef08b2358f0b2fa6f",
                    operation="UPDATE",
                    pgid="pgtrigger_a_finished_run_never_changes_c0456",
                    table="credits_jobrun",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
