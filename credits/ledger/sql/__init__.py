"""The stored functions of the ledger, each file installed by a migration.

To change one, edit its file and add a migration that calls `install` for it again. Where its
parameters change, its file drops the old one right before: every migration installs today's file,
also those that upgrade a database which still has the old one, and of two functions of one name a
call could mean either. New parameters come last and have defaults, for the release before.
"""

from pathlib import Path

from django.db.migrations import RunSQL

FILES = (
    "weeks.sql",
    "balance.sql",
    "notices.sql",
    "posting.sql",
    "clawbacks.sql",
    "spending.sql",
    "batches.sql",
    "grouping.sql",
    "refill.sql",
    "totals.sql",
)


def install(*names: str) -> RunSQL:
    """A migration operation that creates or replaces the functions in these files."""
    texts = ((Path(__file__).parent / name).read_text() for name in names)
    # The files are today's, so a body may name a column that a later migration adds.
    statements = ("SET check_function_bodies = off;", *texts, "RESET check_function_bodies;")
    # As one list item the text reaches the server whole, without a split at semicolons.
    return RunSQL([("\n".join(statements), None)], reverse_sql=RunSQL.noop)
