import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from credits import staff


def permit(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Everybody makes keys of their own; who may change them revokes those of others too."""
    for group in (staff.SUPPORT, staff.FINANCE):
        staff.permit(apps, group, "credits", "^(add|view)_staffkey$")
    staff.permit(apps, staff.ADMINISTRATORS, "credits", "^(add|change|view)_staffkey$")


class Migration(migrations.Migration):
    dependencies = [("credits", "0015_adjustments")]

    operations = [
        migrations.CreateModel(
            name="StaffKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="What it is for, such as Support dashboard.", max_length=100
                    ),
                ),
                (
                    "prefix",
                    models.CharField(
                        editable=False,
                        help_text="The start of the key, to tell keys apart.",
                        max_length=20,
                    ),
                ),
                ("secret_sha256", models.BinaryField(max_length=32, unique=True)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "last_used_at",
                    models.DateTimeField(
                        editable=False, help_text="Kept to within five minutes.", null=True
                    ),
                ),
                ("created_at", models.DateTimeField(editable=False)),
                (
                    "user",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="staff_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ("-created_at", "-id")},
        ),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
