"""The jobs that staff look after, each with a line that says when it ran and how it went."""

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from credits import ledger, mail
from credits.ledger import audit
from credits.ledger.weeks import REFILL_CHUNK
from credits.models import JobRun

KEPT_FOR = timedelta(days=100)
FINDINGS_KEPT = 20
# To write down how far it is costs a commit, as the chunk itself does.
PROGRESS_SECONDS = 1


def refill(*, as_of: datetime, now: datetime, chunk: int = REFILL_CHUNK) -> Iterator[int]:
    """`ledger.refill` at the moment `as_of`, on the record; yields what it yields.

    >>> sum(jobs.refill(as_of=now, now=now))
    1204
    """
    with _run(JobRun.Job.REFILL, as_of=as_of, now=now) as run:
        told_seconds = -math.inf
        for refilled in ledger.refill(now=as_of, chunk=chunk):
            run.count += refilled
            if time.monotonic() >= told_seconds + PROGRESS_SECONDS:
                told_seconds = time.monotonic()
                run.save(update_fields=["count"])
            yield refilled


def check_ledger(*, now: datetime) -> Iterator[str]:
    """`ledger.audit.findings`, on the record; yields what it yields.

    Staff are told of what is off, and told again once something else is.
    """
    kept: list[str] = []
    with _run(JobRun.Job.LEDGER_CHECK, as_of=now, now=now) as run:
        for finding in audit.findings():
            run.count += 1
            if len(kept) < FINDINGS_KEPT:
                kept.append(finding)
            yield finding
        if kept:
            run.outcome, run.summary = JobRun.Outcome.FINDINGS, "\n".join(kept)
            _alert(run, now)


@contextmanager
def _run(job: JobRun.Job, *, as_of: datetime, now: datetime) -> Iterator[JobRun]:
    """A row for the run from its begin to its end, whichever that is but a kill."""
    JobRun.objects.filter(started_at__lt=now - KEPT_FOR).delete()
    run = JobRun.objects.create(job=job, as_of=as_of, started_at=now)
    begun_seconds = time.monotonic()
    try:
        run.outcome = JobRun.Outcome.DONE
        yield run
    except BaseException as error:
        run.outcome, run.summary = JobRun.Outcome.BROKE_OFF, f"{type(error).__name__}: {error}"
        raise
    finally:
        run.finished_at = now + timedelta(seconds=time.monotonic() - begun_seconds)
        run.save()


def _alert(run: JobRun, now: datetime) -> None:
    found = hashlib.sha256(run.summary.encode()).hexdigest()[:32]
    address = reverse("admin:credits_jobrun_change", args=[run.pk])
    mail.alert(
        f"ledger-check-{found}",
        "The ledger check found what is off",
        f"{run.count:,} rows are off, the first of them: {run.summary.splitlines()[0]} "
        f"See {settings.BASE_URL}{address}",
        now=now,
    )
