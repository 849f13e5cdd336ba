"""Keeping the ledger's totals: by day for the dashboard, by month of each top-up for finance.

They follow the entries within a minute and cost a spend nothing: no spend waits for a row that all
organizations share.
"""

import time
from datetime import datetime

from django.db import connection

from credits.ledger import database
from credits.models import TotalsMark

ENTRIES_AT_ONCE = 100_000
PATIENCE_SECONDS = 5.0
_LOOK_AGAIN_AFTER_SECONDS = 0.02

_LAST_ENTRY_ID = "SELECT coalesce(pg_sequence_last_value('credits_entry_id_seq'), 0)"
# Who writes entries holds this lock from before it takes an id until its commit can be seen.
_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = 'credits_entry'::regclass AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()
"""


def roll_up(*, now: datetime) -> int:
    """Add the entries that are new since the last time to the totals; how many ids that were.

    Run twice, killed or run side by side, the totals come out the same. Entries get their ids
    before their transactions commit, so those of transactions under way are waited for; where one
    takes longer than `PATIENCE_SECONDS`, nothing is added this time.

    >>> totals.roll_up(now=now)
    1250
    """
    last = _last_settled_entry()
    if last is None:
        return 0
    added = 0
    while step := database.value("ledger_add_totals", last=last, limit=ENTRIES_AT_ONCE):
        added += step
    TotalsMark.objects.filter(entry_id__gte=last).update(as_of=now)
    return added


def _last_settled_entry() -> int | None:
    """An id up to which every entry that will ever be is there to see; None if that takes long."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_ENTRY_ID)
        last: int = cursor.fetchone()[0]
    under_way = _writers()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while under_way:
        if time.monotonic() > deadline:
            return None
        time.sleep(_LOOK_AGAIN_AFTER_SECONDS)
        under_way &= _writers()
    return last


def _writers() -> set[str]:
    """The transactions that write entries at this moment, but our own."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS)
        return {transaction for (transaction,) in cursor.fetchall()}
