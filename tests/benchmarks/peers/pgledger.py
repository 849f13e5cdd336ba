"""pgledger: its transfer in SQL, from an organization's account to a sink account of its own."""

import os
from pathlib import Path

import psycopg

PLENTY = 1_000_000
ULID = "vendor/scoville-pgsql-ulid/uuid-to-ulid.sql"


def set_up(count: int) -> None:
    with _connection() as connection:
        for path in _files():
            connection.execute(path.read_text())
        connection.execute(
            """
            CREATE TABLE account AS
            SELECT number, source.id AS source, sink.id AS sink
            FROM generate_series(1, %s) number,
                pgledger_create_account('organization ' || number, 'CREDIT',
                    allow_negative_balance => false) source,
                pgledger_create_account('sink ' || number, 'CREDIT') sink
            """,
            [count],
        )
        connection.execute("CREATE UNIQUE INDEX ON account (number) INCLUDE (source, sink)")
        connection.execute(
            "SELECT count(*) FROM account, pgledger_create_transfer(sink, source, %s)", [PLENTY]
        )


def _files() -> list[Path]:
    """What makes ULIDs first, where it lies in its place in a checkout."""
    ledger = Path(os.environ["PGLEDGER"])
    return [path for path in (ledger.parent / ULID, ledger) if path == ledger or path.exists()]


def spent() -> int:
    with _connection() as connection:
        total = connection.execute(
            """
            SELECT sum(amount) FROM pgledger_transfers_view
            JOIN account ON source = from_account_id
            """
        )
        return int(total.fetchone()[0] or 0)


def script(count: int) -> str:
    return rf"""
        \set number random(1, {count})
        SELECT transfer.* FROM account, pgledger_create_transfer(source, sink, 1) transfer
        WHERE number = :number;
    """


def _connection() -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_URL"])
