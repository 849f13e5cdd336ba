from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from credits import staff


def add_schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Staff may change the row in the admin."""
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="40", hour="*", day_of_week="*", timezone="UTC"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name="Reconcile with Stripe",
        defaults={"task": "topups.tasks.reconcile", "crontab": crontab},
    )


def permit(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """What was granted to plans and purchases before, for what belongs to them now."""
    staff.permit(apps, staff.SUPPORT, "topups", staff.READ)
    finance = f"{staff.READ}|_price$|_billingaccount$|^refund_purchase$|^retry_stripeevent$"
    staff.permit(apps, staff.FINANCE, "topups", finance)
    staff.permit(apps, staff.ADMINISTRATORS, "topups", staff.EVERYTHING)


class Migration(migrations.Migration):
    dependencies = [("topups", "0007_rules_of_payments"), ("credits", "0008_mail_schedule")]

    operations = [
        migrations.RunPython(add_schedule, migrations.RunPython.noop),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
