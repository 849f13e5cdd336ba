"""The three ways to measure a contender; what was counted must be what its books show as spent."""

import contextlib
import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from config.environment import BASE_DIR
from config.processes import Problem
from tests.benchmarks.peers.contenders import PEERS_PYTHON, Contender, Failed
from tests.benchmarks.spending import generators
from tests.benchmarks.spending.stage import WEB_WORKERS, Stage

HERE = Path(__file__).parent
CONNECTIONS = 64
DATABASE_CLIENTS = 16
WEB_THREADS = 8
WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Pace:
    """How fast it spends, and the processor time of a spend, in its program and in PostgreSQL."""

    per_second: float
    program_ms: float
    database_ms: float


def in_process(stage: Stage, contender: Contender, count: int, seconds: float) -> Pace:
    """16 processes, each with its own connection; raises `Failed`."""
    with _booked(stage, contender) as book, generators.watched(stage) as busy:
        spells = contender.call(stage, "spend", count, seconds)
        made = sum(spell["spends"] for spell in spells)
        everything = made + sum(spell["warm_up"] for spell in spells)
        book(everything)
    return Pace(
        sum(spell["spends"] / spell["seconds"] for spell in spells),
        1000 * sum(spell["busy_seconds"] for spell in spells) / made,
        1000 * busy["database"] / everything,
    )


def in_database(stage: Stage, contender: Contender, count: int, seconds: float) -> Pace:
    """16 clients of pgbench, without Python; raises `Failed`."""
    path = stage.home / f"{contender.module}.pgbench"
    path.write_text(contender.call(stage, "script", count))
    with _booked(stage, contender) as book:
        load = _pgbench(stage, contender.module, str(path.with_suffix("")), seconds)
        book(load.count)
    return Pace(load.per_second, 0, 1000 * load.busy_seconds["database"] / load.count)


def _pgbench(stage: Stage, database: str, script: str, seconds: float) -> generators.Load:
    try:
        return generators.pgbench(
            stage, database, script, clients=DATABASE_CLIENTS, seconds=seconds
        )
    except Problem as problem:
        raise Failed(str(problem)) from None


class Endpoint:
    """A contender's own way over HTTP, on a server that runs until the block ends."""

    def __init__(
        self, stage: Stage, contender: Contender, count: int, port: int, server: psutil.Process
    ) -> None:
        self._stage, self._contender, self._port, self._server = stage, contender, port, server
        asked = contender.call(stage, "request", count)
        wallets = stage.home / f"{contender.module}.wallets"
        wallets.write_text("\n".join(asked["wallets"]) + "\n")
        headers = [f"{name}: {value}" for name, value in asked["headers"].items()]
        self._arguments = [str(wallets), asked["path"], asked["body"], *headers]

    def measure(self, seconds: float) -> Pace:
        """64 connections of wrk; raises `Failed`."""
        self._wrk(WARM_UP_SECONDS)
        self._stage.web = self._server
        with (
            # Requests under way at the end, of the warm-up too, are still spent but not counted.
            _booked(self._stage, self._contender, play=2 * CONNECTIONS) as book,
            generators.watched(self._stage) as busy,
        ):
            said = self._wrk(seconds)
            book(said["answers"])
        if said["refused"] or said["broken"]:
            raise Failed(f"{said['refused']} answers refused, {said['broken']} broken")
        answers = said["answers"]
        return Pace(
            answers / said["seconds"],
            1000 * busy["web"] / answers,
            1000 * busy["database"] / answers,
        )

    def _wrk(self, seconds: float) -> dict[str, Any]:
        command = [
            *("wrk", "--threads", "1", "--connections", str(CONNECTIONS)),
            *("--duration", f"{max(1, round(seconds))}s", "--timeout", "30s"),
            *("--script", str(HERE / "spend.lua"), f"http://127.0.0.1:{self._port}"),
            *("--", *self._arguments),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(done.stderr.strip()[-200:])
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said


@contextlib.contextmanager
def endpoint(stage: Stage, contender: Contender, count: int) -> Iterator[Endpoint]:
    """Its web server, gunicorn for all, and what to send to it."""
    if contender.is_ours:
        with stage.serving(contender.module):
            assert stage.web
            yield Endpoint(stage, contender, count, stage.web_port, stage.web)
        return
    port = _free_port()
    process = stage.processes.start(
        f"{contender.name}'s web server",
        [str(PEERS_PYTHON), "-m", "gunicorn", *_gunicorn(port), _application(contender)],
        log=stage.home / "log" / f"{contender.module}-web.log",
        stop_seconds=15,
        cwd=BASE_DIR,
        env=contender.environment(stage),
    )
    try:
        stage.processes.wait_until(
            lambda: _answers(port), f"{contender.name}'s web server", timeout_seconds=30
        )
    except Problem as problem:
        stage.processes.stop(process)
        raise Failed(str(problem)) from None
    try:
        yield Endpoint(stage, contender, count, port, psutil.Process(process.pid))
    finally:
        stage.processes.stop(process)


def _gunicorn(port: int) -> tuple[str, ...]:
    """As config/gunicorn.py has it for ours."""
    return (
        *("--bind", f"127.0.0.1:{port}", "--workers", str(WEB_WORKERS)),
        *("--worker-class", "gthread", "--threads", str(WEB_THREADS)),
        *("--preload", "--no-control-socket", "--worker-tmp-dir", "/dev/shm"),
    )


def _application(contender: Contender) -> str:
    return f"tests.benchmarks.peers.{contender.module}:application"


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError:
        return True  # No page, but a server.
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _booked(stage: Stage, contender: Contender, play: int = 0) -> Iterator[Callable[[int], None]]:
    """Raise `Failed` unless the books show at the end what is counted; `play` were under way."""
    before = contender.call(stage, "spent")
    counts: list[int] = []
    yield counts.append
    booked, counted = contender.call(stage, "spent") - before, sum(counts)
    if not counted <= booked <= counted + play:
        raise Failed(f"{counted} spends were counted, but its books show {booked}")
