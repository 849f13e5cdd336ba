from typing import Any

from celery import Task, shared_task
from django.utils import timezone

from topups.sandbox import deliveries

MAX_RETRIES = 10


@shared_task(bind=True, max_retries=MAX_RETRIES)
def deliver(self: "Task[Any, Any]", event_id: str, again: bool = False) -> None:
    """Send an event; try again after 1, 2, 4, … seconds while it does not arrive."""
    is_over = deliveries.deliver(event_id, now=timezone.now(), again=again)
    if not is_over and self.request.retries < MAX_RETRIES:
        raise self.retry(countdown=2**self.request.retries, args=(event_id,), kwargs={})
