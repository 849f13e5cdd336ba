"""The stored functions of the ledger, each file installed by a migration.

To change one, edit its file and add a migration that calls `install` for it again.
"""

from pathlib import Path

from django.db.migrations import RunSQL

FILES = ("weeks.sql", "balance.sql", "posting.sql", "spending.sql", "refill.sql")


def install(*names: str) -> RunSQL:
    """A migration operation that creates or replaces the functions in these files."""
    text = "\n".join((Path(__file__).parent / name).read_text() for name in names)
    # As one list item the text reaches the server whole, without a split at semicolons.
    return RunSQL([(text, None)], reverse_sql=RunSQL.noop)
