from celery import shared_task
from django.utils import timezone

from topups import checkout, events


@shared_task
def sweep() -> None:
    """Finish what a crash, a lost webhook or an absent customer left behind."""
    now = timezone.now()
    events.process_due(now=now)
    checkout.check_due(now=now)
