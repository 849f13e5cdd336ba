"""A Django project for a peer that is a Django app, with our own settings of the database."""

import os
from typing import Any
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection


def configure(*apps: str, **more: Any) -> None:
    """Set Django up with these apps; connections stay open, and statements stay prepared."""
    url = urlsplit(os.environ["DATABASE_URL"])
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.removeprefix("/"),
        "USER": url.username,
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname,
        "PORT": url.port,
        "CONN_MAX_AGE": None,
        "OPTIONS": {"prepare_threshold": 2, "server_side_binding": True},
    }
    base = ("django.contrib.contenttypes", "django.contrib.auth")
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=[*base, *apps],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY=os.urandom(32).hex(),
        ALLOWED_HOSTS=["127.0.0.1"],
        USE_TZ=True,
        **more,
    )
    django.setup()


def migrate() -> None:
    """Make the tables. The apps' own migrations are written for values bound by the client."""
    connection.settings_dict["OPTIONS"]["server_side_binding"] = False
    call_command("migrate", verbosity=0)
    connection.close()
    connection.settings_dict["OPTIONS"]["server_side_binding"] = True


def value(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
