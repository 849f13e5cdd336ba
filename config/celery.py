"""The Celery application.

The schedule lives in the database (django-celery-beat), where staff can change it in the admin;
migrations create its rows once. It is not repeated here: Beat would write it over their changes.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("credits")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
