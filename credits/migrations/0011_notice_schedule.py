from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def add_schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Staff may change the row in the admin."""
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="*", hour="*", day_of_week="*", timezone="UTC"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name="Send notices", defaults={"task": "credits.tasks.send_notices", "crontab": crontab}
    )


class Migration(migrations.Migration):
    dependencies = [("credits", "0010_notices")]

    operations = [migrations.RunPython(add_schedule, migrations.RunPython.noop)]
