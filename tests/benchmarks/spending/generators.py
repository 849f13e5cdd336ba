"""Who makes the load: wrk over HTTP, pgbench inside the database.

Each measurement is a `Load`: how much was done in what time, and who was busy with it.
"""

import contextlib
import json
import re
import resource
import shutil
import statistics
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from config import embedded
from config.processes import Problem
from tests.benchmarks.spending.stage import Stage

HERE = Path(__file__).parent


@dataclass
class Load:
    """`count` of something in `seconds`; processor seconds by who took them."""

    count: int
    seconds: float
    p50_ms: float = 0  # where each one's latency is not known
    p99_ms: float = 0
    busy_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


@dataclass(frozen=True)
class Answers:
    """What wrk counted; requests under way at its end were sent, but their answers not read."""

    sent: int
    answered: int
    above_399: int
    broken: int
    seconds: float
    p50_ms: float
    p99_ms: float


def check() -> None:
    """Raise `Problem` that says how to get what is missing."""
    if not shutil.which("wrk"):
        raise Problem(
            "make bench needs wrk, which sends the requests: apt-get install wrk, or "
            "brew install wrk, or https://github.com/wg/wrk."
        )


@contextlib.contextmanager
def watched(stage: Stage) -> Iterator[dict[str, float]]:
    """The processor seconds that each part takes meanwhile, there at the end."""
    busy: dict[str, float] = {}
    before = _busy_seconds(stage)
    yield busy
    stage.processes.check()
    after = _busy_seconds(stage)
    busy.update({part: after[part] - before[part] for part in after})


def _busy_seconds(stage: Stage) -> dict[str, float]:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"generator": children.ru_utime + children.ru_stime} | stage.busy_seconds()


def wrk(
    stage: Stage, callers: Path, *, connections: int, seconds: float, batch: int = 0
) -> tuple[Answers, dict[str, float]]:
    """Send requests of random callers for a time; raises `Problem` when a connection breaks."""
    start = str(uuid.uuid4())[:23]
    command = [
        *("wrk", "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{max(1, round(seconds))}s", "--timeout", "30s"),
        *("--script", str(HERE / "requests.lua"), f"http://127.0.0.1:{stage.web_port}"),
        *("--", str(callers), start, str(batch)),
    ]
    with watched(stage) as busy:
        output = _run(command, stage)
    answers = Answers(**json.loads(output.strip().splitlines()[-1]))
    if answers.broken:
        raise Problem(f"{answers.broken} connections broke or timed out; see {stage.home}/log.")
    return answers, busy


def pgbench(
    stage: Stage,
    database: str,
    script: str,
    *options: str,
    clients: int,
    seconds: float,
    **variables: Any,
) -> Load:
    """Call a script (a file's name without `.pgbench`) over prepared statements for a time."""
    command = [
        *(str(embedded.postgres_program() / "bin/pgbench"), "--no-vacuum"),
        *("--protocol", "prepared", "--client", str(clients), "--jobs", "1"),
        *("--time", str(max(1, round(seconds))), "--file", str(HERE / f"{script}.pgbench")),
        *(f"--define={name}={value}" for name, value in variables.items()),
        *options,
    ]
    with watched(stage) as busy:
        output = _run(command, stage, _address(stage.url(database)))
    count = int(re.findall(r"transactions actually processed: (\d+)", output)[0])
    per_second = float(re.findall(r"^tps = ([\d.]+)", output, re.MULTILINE)[0])
    return Load(count, count / per_second, busy_seconds=busy)


@dataclass(frozen=True)
class Latency:
    """One call: when it ended, as seconds since 1970, and how long it took from when it was due."""

    at: float
    ms: float


def pgbench_latencies(stage: Stage, *args: Any, **kwargs: Any) -> tuple[Load, list[Latency]]:
    """As `pgbench`, with each call's latency."""
    prefix = stage.home / "latencies"
    load = pgbench(stage, *args, "--log", f"--log-prefix={prefix}", **kwargs)
    latencies = []
    for path in stage.home.glob("latencies.*"):
        for line in path.read_text().splitlines():
            # https://www.postgresql.org/docs/18/pgbench.html, "Per-Transaction Logging"
            _, _, took_us, _, epoch, microseconds, *_ = line.split()
            latencies.append(Latency(int(epoch) + int(microseconds) / 1e6, int(took_us) / 1e3))
        path.unlink()
    load.p50_ms, load.p99_ms = percentiles([latency.ms for latency in latencies])
    return load, latencies


def percentiles(milliseconds: list[float]) -> tuple[float, float]:
    """The 50th and the 99th."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return cuts[49], cuts[98]


def _address(url: str) -> dict[str, str]:
    """PostgreSQL's address as environment: the whole machine can read a command line."""
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
    }
    return {names[name]: str(value) for name, value in conninfo_to_dict(url).items()}


def _run(command: list[str], stage: Stage, variables: Mapping[str, str] | None = None) -> str:
    environment = {"PATH": stage.environment("new")["PATH"], **(variables or {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Problem(f"{Path(command[0]).name} failed: {said[-1] if said else 'it says nothing'}")
    return done.stdout
