"""Many adjustments from one file: tried out, confirmed, and made one by one.

Each row is one transaction, under the lock of its bulk: so however many workers there are, rows are
made one after the other in the order of the file, each once, and a worker may die at any moment.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, Sum

from credits import ledger
from credits.adjustments import checking, rules
from credits.adjustments.files import File
from credits.models import Adjustment, BulkAdjustment, BulkAdjustmentRow, Organization, User

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 500
INSERTED_AT_ONCE = 1_000
ABANDONED_AFTER = timedelta(minutes=2)

Outcome = BulkAdjustmentRow.Outcome


class HasRefusedRows(Exception):
    """Some rows are wrong, and nobody has said that they are to be left out."""


@transaction.atomic
def upload(file: File, *, by: User, now: datetime) -> BulkAdjustment:
    """Keep a file and try out its rows; nothing is adjusted before `confirm`."""
    rows = checking.check(file.lines, now=now)
    bulk = BulkAdjustment.objects.create(
        file_name=file.name,
        sha256=file.sha256,
        uploaded_by=by,
        uploaded_at=now,
        row_count=len(rows),
        **_counts(row.outcome for row in rows),
    )
    for row in rows:
        row.bulk = bulk
    BulkAdjustmentRow.objects.bulk_create(rows, batch_size=INSERTED_AT_ONCE)
    return bulk


def confirm(bulk: BulkAdjustment, *, leave_out_refused: bool, by: User, now: datetime) -> bool:
    """Have the rows made that can be; whether that is news. Raises HasRefusedRows."""
    if bulk.refused_count and not leave_out_refused:
        raise HasRefusedRows
    unconfirmed = BulkAdjustment.objects.filter(pk=bulk.pk, confirmed_at=None)
    return bool(unconfirmed.update(confirmed_at=now, confirmed_by=by))


def run(bulk_id: UUID, *, now: datetime) -> bool:
    """Make the next rows of a bulk, `ROWS_AT_ONCE` at most; whether there are more."""
    BulkAdjustment.objects.filter(pk=bulk_id).update(last_run_at=now)
    return all(_make_next(bulk_id, now) for _ in range(ROWS_AT_ONCE))


def abandoned(*, now: datetime) -> list[UUID]:
    """The bulks that are confirmed and that nobody works on."""
    fresh = Q(last_run_at__gt=now - ABANDONED_AFTER)
    under_way = BulkAdjustment.objects.filter(confirmed_at__isnull=False, finished_at=None)
    return list(under_way.exclude(fresh).values_list("pk", flat=True))


def totals(bulk: BulkAdjustment, *outcomes: str) -> dict[str, int]:
    """How many rows with such an outcome give and take, and how many credits."""
    gives, takes = Q(credits__gt=0), Q(credits__lt=0)
    return bulk.rows.filter(outcome__in=outcomes).aggregate(
        giving_rows=Count("pk", filter=gives),
        given=Sum("credits", filter=gives, default=0),
        taking_rows=Count("pk", filter=takes),
        taken=-Sum("credits", filter=takes, default=0),
    )


@transaction.atomic
def _make_next(bulk_id: UUID, now: datetime) -> bool:
    """Make the next row, or finish; whether there was a row."""
    bulk = (
        BulkAdjustment.objects.select_for_update(of=("self",), no_key=True)
        .select_related("confirmed_by")
        .filter(pk=bulk_id, confirmed_at__isnull=False, finished_at=None)
        .first()
    )
    if bulk is None:
        return False
    row = bulk.rows.filter(outcome=Outcome.WAITING).first()
    _make(row, bulk, now) if row else _finish(bulk, now)
    return row is not None


def _make(row: BulkAdjustmentRow, bulk: BulkAdjustment, now: datetime) -> None:
    """Adjust as the row asks, and note what came of it, both or neither."""
    organization = Organization.objects.get(public_id=row.cells["organization"])
    values, _ = checking.clean(row.cells)
    try:
        made = _adjust(checking.wanted(organization, values), row, bulk.confirmed_by, now)
    except ledger.LedgerError as error:
        row.outcome, row.problems = Outcome.REFUSED, rules.refusal(error)
    else:
        row.outcome = Outcome.DONE if made else Outcome.DONE_BEFORE
        row.balance_after = ledger.balance(organization, now=now).total if made else None
    row.save(update_fields=["outcome", "problems", "balance_after"])


def _adjust(wanted: Adjustment, row: BulkAdjustmentRow, actor: User | None, now: datetime) -> bool:
    return ledger.adjust(
        wanted.organization,
        wanted.credits,
        code=wanted.reason,
        reason=wanted.text,
        ticket=wanted.ticket,
        expires_at=wanted.expires_at,
        adjustment_id=wanted.pk,
        actor=actor,
        bulk_row=row,
        now=now,
    )


def _finish(bulk: BulkAdjustment, now: datetime) -> None:
    counts = _counts(bulk.rows.values_list("outcome", flat=True))
    BulkAdjustment.objects.filter(pk=bulk.pk).update(finished_at=now, **counts)
    logger.info("Bulk adjustment %s (%s) is finished: %s", bulk.pk, bulk.file_name, counts)


def _counts(outcomes: Iterable[str]) -> dict[str, int]:
    found = Counter(outcomes)
    return {
        "done_count": found[Outcome.DONE],
        "done_before_count": found[Outcome.DONE_BEFORE],
        "refused_count": found[Outcome.REFUSED],
    }
