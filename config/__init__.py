"""What the program is made of; loading it makes the Celery app the one that tasks belong to."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
