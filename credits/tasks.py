"""What Celery Beat runs. Each task is idempotent and reads the clock once, here at the edge."""

import logging

from celery import shared_task
from django.utils import timezone

from credits import ledger, mail, notices, tokens, totals
from credits.ledger import audit

logger = logging.getLogger(__name__)


@shared_task
def refill_week() -> None:
    """Write down the Monday refill; run hourly, it also makes up for a missed Monday."""
    refilled = sum(ledger.refill(now=timezone.now()))
    logger.info("Refilled %s organizations", refilled)


@shared_task
def release_expired_holds() -> None:
    """Give back the holds that nobody finished, and let lapse what nobody used in time."""
    settled = sum(1 for _ in ledger.settle_overdue(now=timezone.now()))
    logger.info("Settled what was overdue of %s organizations", settled)


@shared_task
def check_ledger() -> None:
    """Verify the ledger and log each row that is off as an error."""
    for finding in audit.findings():
        logger.error("Ledger check failed: %s", finding)


@shared_task
def roll_up_totals() -> None:
    """Bring the totals of the dashboard and of finance up to date."""
    totals.roll_up(now=timezone.now())


@shared_task
def send_mail() -> None:
    """Send the emails that wait."""
    while mail.send_due(now=timezone.now()):
        pass


@shared_task
def send_notices() -> None:
    """Tell members that credits ran out, ran low or came again."""
    last: int | None = 0
    while last is not None:
        last = notices.send_due(now=timezone.now(), after=last)
    send_mail()


@shared_task
def forget_tokens() -> None:
    """Delete what browser tokens spent, some time after their end."""
    forgotten = tokens.forget_expired(now=timezone.now())
    logger.info("Forgot %s browser tokens", forgotten)
