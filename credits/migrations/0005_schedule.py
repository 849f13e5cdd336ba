from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# name: (task, minute, hour, day of week), in UTC; staff may change the rows in the admin.
SCHEDULE = {
    "Monday refill": ("credits.tasks.refill_week", "0", "0", "1"),
    "Refill catch-up": ("credits.tasks.refill_week", "20", "*", "*"),
    "Release expired holds": ("credits.tasks.release_expired_holds", "*/5", "*", "*"),
    "Check the ledger": ("credits.tasks.check_ledger", "30", "2", "*"),
}


def add_schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    crontabs = apps.get_model("django_celery_beat", "CrontabSchedule").objects
    periodic_tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for name, (task, minute, hour, day_of_week) in SCHEDULE.items():
        crontab, _ = crontabs.get_or_create(
            minute=minute, hour=hour, day_of_week=day_of_week, timezone="UTC"
        )
        periodic_tasks.get_or_create(name=name, defaults={"task": task, "crontab": crontab})


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0004_staff_groups"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(add_schedule, migrations.RunPython.noop)]
