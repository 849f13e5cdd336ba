"""How long pages take in this very process, how many queries they make and how those are run."""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import Client


@dataclass(frozen=True)
class Page:
    """What is measured: an address, and the name it has in the table."""

    name: str
    url: str


@dataclass
class Query:
    sql: str
    parameters: Any
    milliseconds: float


@dataclass
class Figure:
    """What one page took: the median of the server's time, and the slowest of its queries."""

    name: str
    url: str
    status: int
    milliseconds: float
    first_milliseconds: float
    queries: int
    slowest_query_milliseconds: float
    slowest_query: str
    plans: list[str]


def measure(client: Client, page: Page, *, times: int, plans_above_ms: float | None) -> Figure:
    """Ask for a page once to warm up and then `times` times; plans only of what takes so long."""
    status, first_ms, queries = _ask(client, page)
    laps = [_ask(client, page)[1] for _ in range(times)]
    slowest = max(queries, key=lambda query: query.milliseconds, default=Query("", None, 0))
    explained = [
        q for q in queries if plans_above_ms is not None and q.milliseconds >= plans_above_ms
    ]
    return Figure(
        page.name,
        page.url,
        status,
        statistics.median(laps),
        first_ms,
        len(queries),
        slowest.milliseconds,
        slowest.sql,
        [_plan(query) for query in explained],
    )


def _ask(client: Client, page: Page) -> tuple[int, float, list[Query]]:
    with recording() as queries:
        started = time.perf_counter()
        response = client.get(page.url)
        body = response.getvalue() if response.streaming else response.content
        assert body is not None
    return response.status_code, _since(started), queries


@contextmanager
def recording() -> Iterator[list[Query]]:
    """The queries made meanwhile, each with its time."""
    queries: list[Query] = []

    def record(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            queries.append(Query(sql, params, _since(started)))

    with connection.execute_wrapper(record):
        yield queries


def _plan(query: Query) -> str:
    if not query.sql.lstrip().upper().startswith(("SELECT", "WITH")):
        return query.sql
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query.sql}", query.parameters)
        return "\n".join([query.sql, repr(query.parameters), *(line for (line,) in cursor)])


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def report(figures: Iterable[Figure], limit_ms: float, say: Callable[[str], None]) -> None:
    """A table, one line as each page is measured; what is above the limit is marked."""
    say(f"{'ms':>7} {'first':>7} {'queries':>7} {'slowest':>7}  page")
    for figure in figures:
        mark = "!" if figure.milliseconds > limit_ms or figure.status >= 400 else " "
        say(
            f"{figure.milliseconds:7.0f}{mark}{figure.first_milliseconds:7.0f} "
            f"{figure.queries:7} {figure.slowest_query_milliseconds:7.0f}  {figure.name}"
            + (f" ({figure.status})" if figure.status != 200 else "")
        )
        for plan in figure.plans:
            say("\n" + plan + "\n")


def write(figures: list[Figure], path: Path, facts: dict[str, Any]) -> None:
    rows = [asdict(figure) for figure in figures]
    path.write_text(json.dumps({**facts, "pages": rows}, indent=2) + "\n")
