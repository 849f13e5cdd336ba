"""Running the same thing many times at once, each on a database connection of its own."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

Given = TypeVar("Given")
Result = TypeVar("Result")


def at_once(call: Callable[[Given], Result], items: Iterable[Given]) -> list[Result | Exception]:
    """Call for every item in a thread of its own, all connected before the first one starts.

    Returns each one's result, or the exception it raised, in the order of the items.
    """
    items = list(items)
    barrier = Barrier(len(items), timeout=30)

    def run(item: Given) -> Result | Exception:
        try:
            connection.ensure_connection()
            barrier.wait()
            return call(item)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(run, items))
