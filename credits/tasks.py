"""What Celery Beat runs. Each task is idempotent and reads the clock once, here at the edge."""

import logging

from celery import shared_task
from django.utils import timezone

from credits import ledger, mail, notices, sign_ins, tokens
from credits.ledger import audit

logger = logging.getLogger(__name__)


@shared_task
def refill_week() -> None:
    """Write down the Monday refill; run hourly, it also makes up for a missed Monday."""
    refilled = sum(ledger.refill(now=timezone.now()))
    logger.info("Refilled %s organizations", refilled)


@shared_task
def release_expired_holds() -> None:
    """Give back the holds that nobody finished."""
    released = sum(1 for _ in ledger.release_expired(now=timezone.now()))
    logger.info("Released expired holds of %s organizations", released)


@shared_task
def check_ledger() -> None:
    """Verify the ledger and log each row that is off as an error."""
    for finding in audit.findings():
        logger.error("Ledger check failed: %s", finding)


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


@shared_task
def forget_sign_ins() -> None:
    """Delete the lines of the sign-in log that are too old."""
    forgotten = sign_ins.forget_old(now=timezone.now())
    logger.info("Forgot %s sign-ins", forgotten)
