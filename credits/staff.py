"""The groups staff can be in. Migrations make them; the admin may change what each may do."""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions

SUPPORT, FINANCE, ADMINISTRATORS = GROUPS = ("support", "finance", "administrators")

READ = "^view_"
EVERYTHING = ""


def permit(apps: Apps, group: str, app_label: str, codenames: str) -> None:
    """Let a group do what an app's permissions with a codename like the pattern allow.

    `apps` are a migration's. Django makes permissions after all migrations, so those of the app are
    made here first.
    """
    app_config = apps.get_app_config(app_label)
    app_config.models_module = True  # type: ignore[assignment]  # a stub's is missing
    create_permissions(app_config, verbosity=0, apps=apps)
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label=app_label, codename__regex=codenames
    )
    # Staff may have renamed the group or done without it.
    for found in apps.get_model("auth", "Group").objects.filter(name=group):
        found.permissions.add(*permissions)
