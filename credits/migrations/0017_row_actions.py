import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from credits import staff
from credits.ledger import sql


def permit(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for group in (staff.SUPPORT, staff.ADMINISTRATORS):
        staff.permit(
            apps, group, "credits", "^(refund_spend|release_hold|resend_notice|retry_email)$"
        )


class Migration(migrations.Migration):
    dependencies = [("credits", "0014_totals")]

    operations = [
        migrations.AlterModelOptions(
            name="spend",
            options={
                "ordering": ("-created_at", "-id"),
                "permissions": (
                    ("refund_spend", "Can refund spends"),
                    ("release_hold", "Can release holds"),
                ),
            },
        ),
        migrations.AlterModelOptions(
            name="notice",
            options={
                "ordering": ("-id",),
                "permissions": (("resend_notice", "Can send the emails of notices again"),),
            },
        ),
        migrations.AlterModelOptions(
            name="email",
            options={
                "ordering": ("-created_at", "-id"),
                "permissions": (("retry_email", "Can try emails now that were not sent"),),
            },
        ),
        migrations.AddField(
            model_name="refund",
            name="actor",
            field=models.ForeignKey(
                db_index=False,
                help_text="Who of staff gave it back.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="reason",
            field=models.CharField(db_default="", max_length=500),
        ),
        sql.install("posting.sql"),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
