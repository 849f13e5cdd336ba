from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from credits import staff


def add_schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Staff may change the row in the admin."""
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="*", hour="*", day_of_week="*", timezone="UTC"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name="Send email", defaults={"task": "credits.tasks.send_mail", "crontab": crontab}
    )


def permit(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for group in (staff.SUPPORT, staff.FINANCE, staff.ADMINISTRATORS):
        staff.permit(apps, group, "credits", "^view_email$")


class Migration(migrations.Migration):
    dependencies = [("credits", "0007_email")]

    operations = [
        migrations.RunPython(add_schedule, migrations.RunPython.noop),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
