"""Calls of the stored functions in `credits/ledger/sql`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection


def rows(function: str, **arguments: Any) -> list[dict[str, Any]]:
    """The rows a stored function returns, in one round trip; it names its parameters `p_…`.

    Raises ValueError for a datetime without a time zone: the ledger never guesses the hour.
    """
    values = list(arguments.values())
    if any(isinstance(value, datetime) and value.tzinfo is None for value in values):
        raise ValueError("The ledger needs aware datetimes.")
    placeholders = ", ".join(f"p_{name} => %s" for name in arguments)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function}({placeholders})", values)  # noqa: S608 our names
        return list(_as_dicts(cursor))


def row(function: str, **arguments: Any) -> dict[str, Any]:
    """The one row a stored function returns."""
    (result,) = rows(function, **arguments)
    return result


def value(function: str, **arguments: Any) -> Any:
    """The one value a stored function returns."""
    return row(function, **arguments)[function]


def fetch(query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a query that only reads; it names its parameters `%(…)s`."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _as_dicts(cursor: Any) -> Iterator[dict[str, Any]]:
    names = [column.name for column in cursor.description]
    # All at once: row by row a cursor takes several times as long.
    return (dict(zip(names, values, strict=True)) for values in cursor.fetchall())


def open_wallet(organization_id: int, now: datetime) -> datetime:
    """Lock a wallet until the transaction ends and write down what time alone has changed.

    Returns the moment to write entries at, which is never before the wallet's last entry. Must be
    called in a transaction, or the lock is gone before it is of use.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("A wallet is opened in a transaction.")
    moment: datetime = value("ledger_open_wallet", organization=organization_id, now=now)
    return moment
