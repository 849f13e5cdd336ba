"""The Celery application.

The schedule lives in the database (django-celery-beat), where staff can change it in the admin;
migrations create its rows once. It is not repeated here: Beat would write it over their changes.
"""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("credits")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _use_the_log_settings(**_: Any) -> None:
    """Keep Celery from setting up logs of its own form."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
