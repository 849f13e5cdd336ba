"""How long a page may look into the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class QueryTookTooLong(Exception):
    """A query was given up, so that nobody else has to wait for it."""


@contextmanager
def patience(milliseconds: int) -> Iterator[None]:
    """Give up a query that takes longer; plan each for its very values, and through indexes.

    PostgreSQL would soon plan a repeated query once for all values; and where many rows are wanted,
    it hopes to meet enough of them soon from wherever it begins to read. Either is good for common
    values and reads millions of rows for others. Raises `QueryTookTooLong`.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {milliseconds:d}")
            cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
            cursor.execute("SET LOCAL enable_seqscan = off")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise QueryTookTooLong from error
        raise
