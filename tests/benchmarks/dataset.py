"""A sound data set of any size: organizations, their ledger and their payments over six months.

It is drawn and written by SQL alone (`sql/`), with triggers and foreign keys off, so that ten
million entries take minutes. `manage.py check_ledger` finds nothing wrong with it.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, transaction

from credits.ledger.weeks import week_start
from tests.benchmarks import bulk

SQL = Path(__file__).parent / "sql"
WEEKS = 26
LARGEST = ("credits_spend", "credits_entry")


@dataclass(frozen=True)
class Size:
    """How many there are of what; the rest follows. Entries are about 1.25 times the spends."""

    organizations: int = 1_000_000
    spends: int = 8_000_000
    purchases: int = 200_000


def build(size: Size, *, until: datetime, say: Callable[[str], None] = lambda line: None) -> None:
    """Fill an empty database with `size` up to the moment `until`, all or nothing."""
    with transaction.atomic(), connection.cursor() as cursor:
        bulk.unhindered(cursor)
        cursor.execute(
            "CREATE TEMP TABLE size (organizations bigint, spends bigint, purchases bigint, "
            "now timestamptz, since timestamptz, weeks integer) ON COMMIT DROP"
        )
        since = week_start(until) - timedelta(weeks=WEEKS - 1)
        row = (*astuple(size), until, since, WEEKS)
        cursor.execute("INSERT INTO size VALUES (%s, %s, %s, %s, %s, %s)", row)
        bulk.keep_indexes(cursor, LARGEST, ready=False)
        for step in sorted(SQL.glob("*.sql")):
            say(step.stem)
            cursor.execute(step.read_text())
        say("indexes")
        bulk.keep_indexes(cursor, LARGEST, ready=True)
    settle()


def settle(how: str = "ANALYZE") -> None:
    """Let PostgreSQL know what there is now, and sequences go on after it."""
    models = [
        model for app in ("credits", "topups") for model in apps.get_app_config(app).get_models()
    ]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
        cursor.execute(how)
