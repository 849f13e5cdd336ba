"""Calls of the stored functions in `credits/ledger/sql`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection


def rows(function: str, *args: Any) -> list[dict[str, Any]]:
    """The rows a stored function returns, in one round trip.

    Raises ValueError for a datetime without a time zone: the ledger never guesses the hour.
    """
    if any(isinstance(arg, datetime) and arg.tzinfo is None for arg in args):
        raise ValueError("The ledger needs aware datetimes.")
    placeholders = ", ".join(["%s"] * len(args))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function}({placeholders})", args)  # noqa: S608
        return list(_as_dicts(cursor))


def row(function: str, *args: Any) -> dict[str, Any]:
    """The one row a stored function returns."""
    (result,) = rows(function, *args)
    return result


def _as_dicts(cursor: Any) -> Iterator[dict[str, Any]]:
    names = [column.name for column in cursor.description]
    return (dict(zip(names, values, strict=True)) for values in cursor)


def open_wallet(organization_id: int, now: datetime) -> datetime:
    """Lock a wallet until the transaction ends and write down what time alone has changed.

    Returns the moment to write entries at, which is never before the wallet's last entry. Must be
    called in a transaction, or the lock is gone before it is of use.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("A wallet is opened in a transaction.")
    moment: datetime = row("ledger_open_wallet", organization_id, now)["ledger_open_wallet"]
    return moment
