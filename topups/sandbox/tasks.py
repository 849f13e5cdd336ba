from typing import Any

from celery import Task, shared_task
from django.utils import timezone

from topups.sandbox import deliveries

MAX_RETRIES = 10


@shared_task(bind=True, max_retries=MAX_RETRIES)
def deliver(self: "Task[Any, Any]", event_id: str) -> None:
    """Send an event; try again after 1, 2, 4, … seconds while it does not arrive."""
    arrived = deliveries.deliver(event_id, now=timezone.now())
    if not arrived and self.request.retries < MAX_RETRIES:
        raise self.retry(countdown=2**self.request.retries)
