from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from credits import staff


def permit(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    staff.permit(apps, staff.SUPPORT, "topups", staff.READ)
    staff.permit(apps, staff.FINANCE, "topups", f"{staff.READ}|_plan$")
    staff.permit(apps, staff.ADMINISTRATORS, "topups", staff.EVERYTHING)


class Migration(migrations.Migration):
    dependencies = [("topups", "0003_schedule"), ("credits", "0004_staff_groups")]

    operations = [migrations.RunPython(permit, migrations.RunPython.noop)]
