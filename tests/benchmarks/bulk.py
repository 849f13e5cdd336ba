"""Writing many rows into PostgreSQL at once."""

from collections.abc import Collection
from typing import Any


def unhindered(cursor: Any) -> None:
    """Until the transaction ends: no triggers, no foreign keys, and memory for large sorts."""
    cursor.execute("SET LOCAL session_replication_role = replica")
    cursor.execute("SET LOCAL work_mem = '256MB'; SET LOCAL maintenance_work_mem = '512MB'")
    cursor.execute("SET LOCAL jit = off; SELECT setseed(0.5)")


def keep_indexes(cursor: Any, tables: Collection[str], *, ready: bool) -> None:
    """Whether the tables' indexes follow each row; made in one go they are much faster."""
    cursor.execute(
        "UPDATE pg_index SET indisready = %s WHERE indrelid = ANY (%s::regclass[])",
        [ready, list(tables)],
    )
    if ready:
        for table in tables:
            cursor.execute(f"REINDEX TABLE {table}")
