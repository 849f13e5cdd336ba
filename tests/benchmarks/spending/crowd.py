"""A million organizations: the Monday refill, spends in its shadow, and spends among so many."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from config.processes import Problem
from tests.benchmarks.spending import generators, world
from tests.benchmarks.spending.generators import Load, watched
from tests.benchmarks.spending.report import Round
from tests.benchmarks.spending.stage import Stage

# Built once; each refill and each COPY has a copy of it.
ACTIVE = "active"
ACTIVE_WORLD = {"spends": 1, "top_up_every": 10}
NEXT_WEEK = "ledger_midnight(ledger_week(now()) + 7)"
TABLES = ("credits_grant", "credits_entry")

SHADOW_PER_SECOND = 500
SHADOW_CLIENTS = 16
WARM_UP_SECONDS = 2
# Of a load's spends: its sessions connect, and each plans the function.
FIRST_SECONDS = 1

# Each with ten entries: two grants and eight spends.
FLAT_SPENDS = 8
FLAT_SMALL = 1000
FLAT_CLIENTS = 4
# So often as long as a round, by more clients: after a checkpoint PostgreSQL writes each page whole
# with its first change. Among so many that takes a while, and says nothing of how many there are.
FLAT_WARM_UP, FLAT_WARM_UP_CLIENTS = 15, 16


@dataclass(frozen=True)
class Refilled:
    """What a refill says of itself; moments are seconds since 1970."""

    refilled: int
    begun_at: float
    ended_at: float
    busy_seconds: float

    @property
    def seconds(self) -> float:
        return self.ended_at - self.begun_at


def refill(stage: Stage, size: int, rounds: int, seconds: float) -> Iterator[Round]:
    """Refill one copy of the database, COPY into another what that wrote; time over time."""
    _build_active(stage, size)
    for _ in range(rounds):
        stage.copy_database("refilled", ACTIVE)
        refilling = _refill(stage, size)
        _export(stage)
        stage.copy_database("copied", ACTIVE)
        copying = _copy(stage, size)
        yield Round(
            {"refill": refilling.seconds / copying.seconds},
            {"refill": refilling, "copy": copying},
        )
    stage.check_ledger("refilled")
    for name in ("refilled", "copied"):
        stage.drop_database(name)


def _build_active(stage: Stage, size: int) -> None:
    if not stage.value("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{ACTIVE}'"):
        world.build(stage, ACTIVE, world.World(size, **ACTIVE_WORLD))


def _refill(stage: Stage, size: int) -> Load:
    with watched(stage) as busy, _start_refill(stage, "refilled") as process:
        done = _outcome(process, size)
    # Not the start of its program, but that was watched, too.
    busy["generator"] = done.busy_seconds
    return Load(size, done.seconds, busy_seconds=busy)


def _start_refill(stage: Stage, database: str) -> subprocess.Popen[str]:
    monday = stage.value(database, f"SELECT {NEXT_WEEK}")
    module = "tests.benchmarks.spending.refilling"
    return stage.start_python(database, "-m", module, monday.isoformat())


def _outcome(process: subprocess.Popen[str], size: int) -> Refilled:
    output, _ = process.communicate()
    if process.returncode:
        raise Problem("The refill failed.")
    done = Refilled(**json.loads(output))
    if done.refilled != size:
        raise Problem(f"The refill was of {done.refilled} organizations instead of {size}.")
    return done


def _export(stage: Stage) -> None:
    """Write down the rows that the refill made, where the server can read them."""
    with stage.connected("refilled") as connection:
        for table in TABLES:
            columns, path = _columns(connection, table), _path(connection, table)
            rows = f"SELECT {columns} FROM {table} WHERE created_at >= {NEXT_WEEK}"
            connection.execute(f"COPY ({rows}) TO '{path}'")


def _copy(stage: Stage, size: int) -> Load:
    with stage.connected("copied") as connection, watched(stage) as busy:
        commands = [
            f"COPY {table} ({_columns(connection, table)}) FROM '{_path(connection, table)}'"
            for table in TABLES
        ]
        started = time.monotonic()
        with connection.transaction():
            for command in commands:
                connection.execute(command)
        seconds = time.monotonic() - started
    return Load(size, seconds, busy_seconds=busy)


def _columns(connection: Connection[Any], table: str) -> str:
    """All but those that PostgreSQL computes."""
    query = (
        "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) "
        "FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'"
    )
    [[columns]] = connection.execute(query, [table])
    return str(columns)


def _path(connection: Connection[Any], table: str) -> str:
    """Beside the data: PostgreSQL's user can write there."""
    [[path]] = connection.execute("SHOW data_directory")
    return f"{path}/../{table}.rows"


def shadow(stage: Stage, size: int, rounds: int, seconds: float) -> Iterator[Round]:
    """Steady spends, idle and while the refill runs; p99 over p99."""
    _build_active(stage, size)
    for _ in range(rounds):
        stage.copy_database("shadow", ACTIVE)
        _steady_spends(stage, size, WARM_UP_SECONDS)
        idle, _ = _steady_spends(stage, size, 2 * seconds)
        with _start_refill(stage, "shadow") as process:
            shadowed, latencies = _steady_spends(stage, size, 4 * seconds)
            done = _outcome(process, size)
        during = [call.ms for call in latencies if done.begun_at <= call.at <= done.ended_at]
        if len(during) < 100:
            raise Problem(f"The refill had {len(during)} spends beside it; give it a larger SIZE.")
        shadowed.p50_ms, shadowed.p99_ms = generators.percentiles(during)
        yield Round(
            {"refill_shadow": shadowed.p99_ms / idle.p99_ms},
            {"steady": idle, "steady_shadow": shadowed},
        )
    stage.check_ledger("shadow")
    stage.drop_database("shadow")


def _steady_spends(
    stage: Stage, size: int, seconds: float
) -> tuple[Load, list[generators.Latency]]:
    """What a client sees, from the moment a spend was due, once the sessions are there."""
    load, latencies = generators.pgbench_latencies(
        *(stage, "shadow", "spend", f"--rate={SHADOW_PER_SECOND}"),
        clients=SHADOW_CLIENTS,
        seconds=seconds,
        first=1,
        last=size,
        action="alt-text.generate",
    )
    begun_at = min(call.at - call.ms / 1000 for call in latencies)
    steady = [call for call in latencies if call.at > begun_at + FIRST_SECONDS]
    load.p50_ms, load.p99_ms = generators.percentiles([call.ms for call in steady])
    return load, steady


def flat(stage: Stage, size: int, rounds: int, seconds: float) -> Iterator[Round]:
    """The function among many organizations and among few; p50 over p50."""
    worlds = {"small": FLAT_SMALL, "large": size}
    for name, organizations in worlds.items():
        world.build(stage, name, world.World(organizations, FLAT_SPENDS))
        warm_up = FLAT_WARM_UP * seconds
        _flat_spends(stage, name, organizations, warm_up, FLAT_WARM_UP_CLIENTS)
    for nth in range(rounds):
        names = list(worlds) if nth % 2 == 0 else list(worlds)[::-1]
        loads = {name: _flat_spends(stage, name, worlds[name], seconds) for name in names}
        ratio = loads["large"].p50_ms / loads["small"].p50_ms
        yield Round({"flat": ratio}, {f"flat_{name}": loads[name] for name in worlds})
    for name in worlds:
        stage.check_ledger(name)
        stage.drop_database(name)


def _flat_spends(
    stage: Stage, database: str, organizations: int, seconds: float, clients: int = FLAT_CLIENTS
) -> Load:
    load, _ = generators.pgbench_latencies(
        *(stage, database, "spend"),
        clients=clients,
        seconds=seconds,
        first=1,
        last=organizations,
        action="alt-text.generate",
    )
    return load


PARTS: dict[str, Callable[[Stage, int, int, float], Iterator[Round]]] = {
    "refill": refill,
    "refill_shadow": shadow,
    "flat": flat,
}
