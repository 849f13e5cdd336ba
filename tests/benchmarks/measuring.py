"""How long pages take in this very process, how many queries they make and how those are run.

On a machine that does other work too, the clock tells more than the page needs; `busy` is the time
that this process and PostgreSQL's, where it runs here, were at work.
"""

import json
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
    busy_milliseconds: float


@dataclass
class Lap:
    """One request."""

    status: int
    milliseconds: float
    busy_milliseconds: float
    queries: list[Query]


@dataclass
class Figure:
    """What one page takes: the best of its laps, the first one, and the slowest of its queries."""

    name: str
    url: str
    status: int
    milliseconds: float
    busy_milliseconds: float
    first_milliseconds: float
    queries: int
    slowest_query_milliseconds: float
    slowest_query: str
    plans: list[str]


def measure(client: Client, page: Page, *, times: int, plans_above_ms: float | None) -> Figure:
    """Ask for a page `times` times; plans are made only of the queries that take so long."""
    laps = [_ask(client, page) for _ in range(times)]
    best = min(laps, key=lambda lap: lap.milliseconds)
    slowest = max(best.queries, key=lambda query: query.milliseconds, default=Query("", None, 0, 0))
    explained = [
        query
        for query in best.queries
        if plans_above_ms is not None and query.milliseconds >= plans_above_ms
    ]
    return Figure(
        page.name,
        page.url,
        best.status,
        best.milliseconds,
        min(lap.busy_milliseconds for lap in laps),
        laps[0].milliseconds,
        len(best.queries),
        slowest.milliseconds,
        slowest.sql,
        [plan(query) for query in explained],
    )


def _ask(client: Client, page: Page) -> Lap:
    with recording() as queries:
        started, worked = time.perf_counter(), time.process_time()
        response = client.get(page.url)
        size = sum(map(len, response)) if response.streaming else len(response.content)
        assert size or response.status_code >= 300
        busy_ms = (time.process_time() - worked) * 1000
    busy_ms += sum(query.busy_milliseconds for query in queries)
    return Lap(response.status_code, _since(started), busy_ms, queries)


@contextmanager
def recording() -> Iterator[list[Query]]:
    """The queries made meanwhile, each with its time."""
    queries: list[Query] = []

    def record(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        started, worked_ms = time.perf_counter(), _server_busy_ms()
        try:
            return execute(sql, params, many, context)
        finally:
            busy_ms = _server_busy_ms() - worked_ms
            queries.append(Query(sql, params, _since(started), busy_ms))

    with connection.execute_wrapper(record):
        yield queries


def _server_busy_ms() -> float:
    """How long PostgreSQL's process of our connection has worked; 0 where it is not on Linux here.

    https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat
    """
    if connection.connection is None:
        connection.connect()
    path = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    return int(path.read_text().split()[0]) / 1e6 if path.exists() else 0


def plan(query: Query) -> str:
    """How PostgreSQL runs a query with its very values, and what it reads for it."""
    if not query.sql.lstrip().upper().startswith(("SELECT", "WITH")):
        return query.sql
    with connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_custom_plan")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query.sql}", query.parameters)
        return "\n".join([query.sql, repr(query.parameters), *(line for (line,) in cursor)])


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def report(figures: Iterable[Figure], limit_ms: float, say: Callable[[str], None]) -> None:
    """A table, one line as each page is measured; what is above the limit is marked."""
    say(f"{'ms':>6} {'busy':>7} {'first':>6} {'queries':>7} {'slowest':>7}  page")
    for figure in figures:
        mark = "!" if figure.milliseconds > limit_ms or figure.status >= 400 else " "
        say(
            f"{figure.milliseconds:6.0f}{mark} {figure.busy_milliseconds:6.0f} "
            f"{figure.first_milliseconds:6.0f} {figure.queries:7} "
            f"{figure.slowest_query_milliseconds:7.0f}  {figure.name}"
            + (f" ({figure.status})" if figure.status != 200 else "")
        )
        for told in figure.plans:
            say(f"\n{told}\n")


def write(figures: list[Figure], path: Path, facts: dict[str, Any]) -> None:
    rows = [asdict(figure) for figure in figures]
    path.write_text(json.dumps({**facts, "pages": rows}, indent=2) + "\n")
