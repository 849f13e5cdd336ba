from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from credits import staff

OTHER_APPS = ("account", "auth", "django_celery_beat")


def add_groups(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for name in staff.GROUPS:
        apps.get_model("auth", "Group").objects.get_or_create(name=name)
    for app_label in ("credits", *OTHER_APPS):
        staff.permit(apps, staff.SUPPORT, app_label, staff.READ)
        staff.permit(apps, staff.FINANCE, app_label, staff.READ)
        staff.permit(apps, staff.ADMINISTRATORS, app_label, staff.EVERYTHING)
    staff.permit(apps, staff.SUPPORT, "credits", "^adjust_credits$")


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0003_catalog"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(add_groups, migrations.RunPython.noop)]
