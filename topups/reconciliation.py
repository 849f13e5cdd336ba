"""Asking Stripe for everything since the last good time, to repair what no webhook told us."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from credits import mail
from topups import events, gateway
from topups.models import Dispute, Reconciliation

logger = logging.getLogger(__name__)

# Before the first run, and the furthest back that a run by itself looks.
FIRST_LOOK_BACK = timedelta(days=30)
# Stripe lists by when a thing was made. A session is paid within the day it lives, and a refund can
# fail until 30 days after (https://docs.stripe.com/refunds#failed-refunds).
OVERLAP = timedelta(hours=25)
REFUND_OVERLAP = timedelta(days=30)


def reconcile(*, now: datetime, since: datetime | None = None) -> Reconciliation:
    """Look at every session, refund and dispute at Stripe and take in what is news.

    `since` is when the last run began that came to its end, unless it is given. Each run is
    recorded with what it repaired. An object that fails does not stop the others, and the runs of
    at least a day look at it again; when Stripe is unavailable the run breaks off. Running it
    twice, or two at once, does no harm.
    """
    run = Reconciliation.objects.create(since=since or _since_last_good_run(now), started_at=now)
    try:
        for fact in _facts(run.since):
            run.seen += 1
            _take_in(fact, run, now)
    except gateway.GatewayError as error:
        logger.warning("Reconciling with Stripe broke off: %s", error)
        run.failures.append(f"Broke off: {error}")
    else:
        run.finished_at = now
    run.save()
    return run


def _since_last_good_run(now: datetime) -> datetime:
    finished = Reconciliation.objects.filter(finished_at__isnull=False)
    last = finished.order_by("-started_at").values_list("started_at", flat=True).first()
    return last or now - FIRST_LOOK_BACK


def _facts(since: datetime) -> Iterator[gateway.Fact]:
    """What may have changed at Stripe since then, and all disputes that are not settled yet."""
    yield from gateway.list_checkout_sessions(since=since - OVERLAP)
    yield from gateway.list_refunds(since=since - REFUND_OVERLAP)
    listed = set()
    for dispute in gateway.list_disputes(since=since - OVERLAP):
        listed.add(dispute.id)
        yield dispute
    for unsettled in Dispute.objects.filter(status__in=Dispute.UNSETTLED).exclude(pk__in=listed):
        yield gateway.retrieve_dispute(unsettled.pk)


def _take_in(fact: gateway.Fact, run: Reconciliation, now: datetime) -> None:
    try:
        if events.apply(fact, now=now):
            run.repaired.append(_described(fact))
    except gateway.PaymentServiceUnavailable:
        raise
    except Exception as error:
        failure = f"{fact.id}: {type(error).__name__}: {error}"
        run.failures.append(failure)
        mail.alert(f"reconcile-{fact.id}", "Reconciling with Stripe failed", failure, now=now)


def _described(fact: gateway.Fact) -> str:
    state = fact.state if isinstance(fact, gateway.CheckoutSession) else fact.status
    return f"{fact.id} is {state}"
