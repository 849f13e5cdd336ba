from celery import shared_task
from django.utils import timezone

from topups import checkout, events, month_totals, reconciliation, refunds, reversals


@shared_task
def sweep() -> None:
    """Finish what a crash, a lost webhook or an absent customer left behind."""
    now = timezone.now()
    events.process_due(now=now)
    checkout.check_due(now=now)
    refunds.send_due(now=now)


@shared_task
def reconcile() -> None:
    """Take in what happened at Stripe since the last time and no webhook told."""
    reconciliation.reconcile(now=timezone.now())


@shared_task
def roll_up_months() -> None:
    """Bring finance's months up to date."""
    reversals.post_missed(now=timezone.now())
    month_totals.roll_up()
