"""Asking Stripe for everything since the last good time, to repair what no webhook told us."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from credits import mail
from topups import events, gateway
from topups.models import Dispute, Reconciliation

logger = logging.getLogger(__name__)

# How far the first run looks back.
FIRST_LOOK_BACK = timedelta(days=30)
# Stripe lists by when a thing was made. A session is paid within the day it lives, a refund can
# fail until 30 days after (https://docs.stripe.com/refunds#failed-refunds), and a dispute that was
# decided can be appealed.
OVERLAP = timedelta(hours=25)
REFUND_OVERLAP = timedelta(days=30)
DISPUTE_OVERLAP = timedelta(days=120)
# So long without a run that came to its end is no passing trouble.
MAX_SILENCE = timedelta(hours=6)


def reconcile(*, now: datetime, since: datetime | None = None) -> Reconciliation:
    """Look at every session, refund and dispute at Stripe and take in what is news.

    Looks back to when the last run began that came to its end, or to `since` if that is earlier.
    Each run is recorded with what it repaired. An object that fails does not stop the others, and
    the runs of at least a day look at it again; when Stripe is unavailable the run breaks off.
    Running it twice, or two at once, does no harm.
    """
    last = _last_run_that_ended(now)
    run = Reconciliation.objects.create(since=min(since or last, last), started_at=now)
    try:
        for fact in _facts(run, now):
            run.seen += 1
            _take_in(fact, run, now)
    except gateway.GatewayError as error:
        logger.warning("Reconciling with Stripe broke off: %s", error)
        run.failures.append(f"Broke off: {error}")
        if now - last > MAX_SILENCE:
            mail.alert(f"silent-since-{last:%F %T}", "Stripe cannot be asked", str(error), now=now)
    else:
        run.finished_at = now
    run.save()
    return run


def _last_run_that_ended(now: datetime) -> datetime:
    ended = Reconciliation.objects.filter(finished_at__isnull=False).order_by("-started_at")
    last = ended.values_list("started_at", flat=True).first()
    return last or now - FIRST_LOOK_BACK


def _facts(run: Reconciliation, now: datetime) -> Iterator[gateway.Fact]:
    """What may have changed at Stripe since a moment, and the disputes that may still change."""
    yield from gateway.list_checkout_sessions(since=run.since - OVERLAP)
    yield from gateway.list_refunds(since=run.since - REFUND_OVERLAP)
    listed = set()
    for dispute in gateway.list_disputes(since=run.since - OVERLAP):
        listed.add(dispute.id)
        yield dispute
    may_change = Q(status__in=Dispute.UNSETTLED) | Q(created_at__gte=now - DISPUTE_OVERLAP)
    for known in Dispute.objects.filter(may_change).exclude(pk__in=listed):
        try:
            yield gateway.retrieve_dispute(known.pk)
        except gateway.PaymentServiceRefused as error:
            _record_failure(run, known.pk, error, now)


def _take_in(fact: gateway.Fact, run: Reconciliation, now: datetime) -> None:
    try:
        if events.apply(fact, now=now):
            run.repaired.append(_described(fact))
    except gateway.PaymentServiceUnavailable:
        raise
    except Exception as error:
        _record_failure(run, fact.id, error, now)


def _record_failure(run: Reconciliation, what: str, error: Exception, now: datetime) -> None:
    failure = f"{what}: {type(error).__name__}: {error}"
    run.failures.append(failure)
    mail.alert(f"reconcile-{what}", "Reconciling with Stripe failed", failure, now=now)


def _described(fact: gateway.Fact) -> str:
    state = fact.state if isinstance(fact, gateway.CheckoutSession) else fact.status
    return f"{fact.id} is {state}"
