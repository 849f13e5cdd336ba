"""What is measured: PostgreSQL, Valkey and the web server, as production runs them.

All data lies in a folder that is new for each run and gone afterwards.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg

from config import embedded
from config.environment import BASE_DIR
from config.processes import Processes

GIGABYTE = 2**30
# What docs/operations.md asks of a production server; a quarter of the memory is PostgreSQL's own
# advice (https://www.postgresql.org/docs/18/runtime-config-resource.html).
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": f"{max(1, min(8, psutil.virtual_memory().total // GIGABYTE // 4))}GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "512MB",
}
WEB_WORKERS = 2
READY_SECONDS = 60


@dataclass
class Stage:
    """The servers of one run; `new` is a database with the program's tables and nothing in them."""

    processes: Processes
    home: Path
    database_url: str
    redis_url: str
    web: psutil.Process | None = None
    web_port: int = field(default_factory=lambda: _free_port())
    started: float = field(default_factory=time.monotonic)

    def say(self, line: str) -> None:
        print(f"{time.monotonic() - self.started:6.0f} s  {line}", flush=True)

    def url(self, database: str) -> str:
        return urlunsplit(urlsplit(self.database_url)._replace(path=f"/{database}"))

    @contextlib.contextmanager
    def connected(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        connection = psycopg.connect(self.url(database), autocommit=True)
        with contextlib.closing(connection):
            yield connection

    def value(self, database: str, query: str) -> Any:
        with self.connected(database) as connection:
            row = connection.execute(query).fetchone()
            return row and row[0]

    def copy_database(self, name: str, original: str = "new") -> None:
        """Make a database like the original, in place of an earlier one, all of it on disk."""
        self.drop_database(name)
        with self.connected() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {original} STRATEGY file_copy")

    def drop_database(self, name: str) -> None:
        with self.connected() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def environment(self, database: str) -> dict[str, str]:
        """The environment of production, whatever this one is."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | {
            "ENV_FILE": str(BASE_DIR / "config" / "placeholder.env"),
            "VAR_DIR": str(self.home),
            "DATABASE_URL": self.url(database),
            "REDIS_URL": self.redis_url,
            "PORT": str(self.web_port),
            "WEB_WORKERS": str(WEB_WORKERS),
            # One key spends more here than its limit allows; each request is counted all the same.
            "API_REQUESTS_PER_MINUTE": "100000000",
        }

    def python(self, name: str, database: str, *command: str) -> None:
        """Run a module or script of the program on a database, to its end."""
        log = self.home / "log" / "commands.log"
        environment = self.environment(database)
        program = [sys.executable, *command]
        self.processes.run(name, program, log=log, cwd=BASE_DIR, env=environment)

    def check_ledger(self, database: str) -> None:
        """Raise `Problem` when its ledger does not explain itself after what was done to it."""
        self.python(f"Checking the ledger of {database}", database, "manage.py", "check_ledger")
        self.say(f"the ledger of {database} is sound")

    def start_python(self, database: str, *command: str) -> subprocess.Popen[str]:
        """The same beside other work; what it says can be read from it."""
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=BASE_DIR,
            env=self.environment(database),
            stdout=subprocess.PIPE,
            text=True,
        )

    @contextlib.contextmanager
    def serving(self, database: str) -> Iterator[None]:
        """The web server on a database, by the command of the Dockerfile."""
        server = ("gunicorn", "-c", "config/gunicorn.py", "--worker-tmp-dir", "/dev/shm")
        process = self.processes.start(
            "The web server",
            [sys.executable, "-m", *server],
            log=self.home / "log" / "web.log",
            stop_seconds=15,
            cwd=BASE_DIR,
            env=self.environment(database),
        )
        self.web = psutil.Process(process.pid)
        self.processes.wait_until(self._is_ready, "The web server", timeout_seconds=READY_SECONDS)
        try:
            yield
        finally:
            self.web = None
            self.processes.stop(process)

    def worker_bytes(self) -> dict[int, int]:
        """What each worker takes of the memory; of pages that several share, its share."""
        assert self.web
        memories = {worker.pid: worker.memory_full_info() for worker in self.web.children()}
        return {pid: getattr(memory, "pss", memory.rss) for pid, memory in memories.items()}

    def _is_ready(self) -> bool:
        address = f"http://127.0.0.1:{self.web_port}/health/ready/"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def busy_seconds(self) -> dict[str, float]:
        """The processor's time that each server has taken up to now."""
        children = {child.name(): child for child in psutil.Process().children()}
        servers = {"database": children["postgres"], "broker": children["valkey-server"]}
        web = {"web": self.web} if self.web else {}
        return {name: _busy_seconds(tree) for name, tree in (web | servers).items()}


def _busy_seconds(tree: psutil.Process) -> float:
    """Of a process, of all that work for it, and of those that did and have ended."""
    seconds = 0.0
    for process in (tree, *tree.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


@contextlib.contextmanager
def opened(processes: Processes, home: Path) -> Iterator[Stage]:
    """Servers with new data, which go with it at the end."""
    print("Starting PostgreSQL and Valkey with new data ...", flush=True)
    _remove(home)
    options = tuple(f"{name}={value}" for name, value in SETTINGS.items())
    addresses = embedded.start(processes, home, {"DATABASE_URL", "REDIS_URL"}, options=options)
    stage = Stage(processes, home, addresses["DATABASE_URL"], addresses["REDIS_URL"])
    try:
        stage.python("Migrating", "credits", "manage.py", "migrate", "--no-input")
        stage.say("migrated")
        with stage.connected() as connection:
            connection.execute("ALTER DATABASE credits RENAME TO new")
        yield stage
    finally:
        processes.stop_all()
        _remove(home)


def _remove(home: Path) -> None:
    """The cluster, which for root may lie elsewhere behind a link, and Valkey's folder."""
    cluster = home / "postgres"
    for folder in (cluster.resolve(), home / "valkey"):
        shutil.rmtree(folder, ignore_errors=True)
    if cluster.is_symlink():
        cluster.unlink()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
