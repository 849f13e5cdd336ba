"""How long a page may look into the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class QueryTookTooLong(Exception):
    """A query was given up, so that nobody else has to wait for it."""


@contextmanager
def patience(milliseconds: int) -> Iterator[None]:
    """Give up a query that takes longer, and have each planned for its very values and by indexes.

    PostgreSQL would soon plan a repeated query once for all values; and where a page's rows are many
    it hopes to meet some soon, wherever it begins to read. Either is good for the usual values and
    reads millions of rows for others. Raises `QueryTookTooLong`.
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
