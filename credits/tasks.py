"""What Celery Beat runs. Each task is idempotent and reads the clock once, here at the edge."""

import logging
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from credits import adjustments, jobs, ledger, mail, notices, sign_ins, tokens, totals

logger = logging.getLogger(__name__)


@shared_task
def refill_week() -> None:
    """Write down the Monday refill; run hourly, it also makes up for a missed Monday."""
    now = timezone.now()
    refilled = sum(jobs.refill(as_of=now, now=now))
    logger.info("Refilled %s organizations", refilled)


@shared_task
def release_expired_holds() -> None:
    """Give back the holds that nobody finished, and let lapse what nobody used in time."""
    settled = sum(1 for _ in ledger.settle_overdue(now=timezone.now()))
    logger.info("Settled what was overdue of %s organizations", settled)


@shared_task
def check_ledger() -> None:
    """Verify the ledger and log each row that is off as an error."""
    for finding in jobs.check_ledger(now=timezone.now()):
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


@shared_task
def run_bulk_adjustment(bulk_id: str) -> None:
    """Make the next rows of a confirmed file, and queue the rest behind what else waits."""
    if adjustments.run(UUID(bulk_id), now=timezone.now()):
        run_bulk_adjustment.delay(bulk_id)


@shared_task
def finish_bulk_adjustments() -> None:
    """Take up the files that a crash, or a broker that was away, has left."""
    for bulk_id in adjustments.abandoned(now=timezone.now()):
        run_bulk_adjustment.delay(str(bulk_id))


@shared_task
def forget_sign_ins() -> None:
    """Delete the lines of the sign-in log that are too old."""
    forgotten = sign_ins.forget_old(now=timezone.now())
    logger.info("Forgot %s sign-ins", forgotten)
