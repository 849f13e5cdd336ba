from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SERVICES = {
    "Generative rich text": ("rich-text.generate", "Generate text"),
    "Image alt text": ("alt-text.generate", "Generate alt text"),
    "Automatic shoppable images": ("shoppable-images.detect", "Detect products"),
    "Background removal": ("background.remove", "Remove a background"),
}


def add_catalog(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for service_name, (code, name) in SERVICES.items():
        service = apps.get_model("credits", "Service").objects.create(name=service_name)
        apps.get_model("credits", "Action").objects.create(service=service, code=code, name=name)
    apps.get_model("credits", "Wording").objects.create(
        id=1,
        credits_name="Amplience credits",
        out_of_credits_message=(
            "You've used all your {credits_name}. Top up to go on right away; everything else "
            "keeps working."
        ),
    )


class Migration(migrations.Migration):
    dependencies = [("credits", "0002_ledger_functions")]

    operations = [migrations.RunPython(add_catalog, migrations.RunPython.noop)]
