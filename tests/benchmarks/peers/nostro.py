"""hf-nostro: `Ledger.debit` as its guide shows it, and the stored function behind it."""

import os
import uuid

import psycopg
from nostro import Ledger
from nostro.migrate import migrate

SCALE = 0  # Whole credits, as ours.
PLENTY = 1_000_000

ledger = Ledger(dsn=os.environ["DATABASE_URL"], scale=SCALE)


def set_up(count: int) -> None:
    migrate(dsn=os.environ["DATABASE_URL"], scale=SCALE)
    with _connection() as connection:
        for number in range(count):
            _open_account(number, connection.cursor())
        connection.execute(
            "CREATE TABLE numbered AS SELECT row_number() OVER () AS number, id FROM nostro.account"
        )
        connection.execute("CREATE UNIQUE INDEX ON numbered (number) INCLUDE (id)")


def _open_account(number: int, cursor: psycopg.Cursor) -> None:
    """In the transaction of the cursor."""
    account = ledger.accounts.create("peers", str(number), cur=cursor)
    ledger.credit(
        account,
        ledger.amount(PLENTY),
        category="top_up",
        idempotency_key=f"set-up-{number}",
        cur=cursor,
    )


def wallets(count: int) -> list[uuid.UUID]:
    """Their ids, which save the look-up by name."""
    with _connection() as connection:
        found = connection.execute("SELECT id FROM nostro.account ORDER BY id LIMIT %s", [count])
        return [account for (account,) in found]


def spend(account: uuid.UUID, key: str) -> None:
    ledger.debit(account, ledger.amount(1), category="spend", idempotency_key=key)


def spent() -> int:
    with _connection() as connection:
        total = connection.execute(
            "SELECT -sum(amount) FROM nostro.entry WHERE kind = 'consumption'"
        )
        return int(total.fetchone()[0] or 0)


def script(count: int) -> str:
    return rf"""
        \set number random(1, {count})
        \set key random(1, 9000000000000000000)
        SELECT entry.* FROM numbered, nostro.debit(id, 1, 'spend', :key, NULL, '{{}}') entry
        WHERE number = :number;
    """


def _connection() -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_URL"])
