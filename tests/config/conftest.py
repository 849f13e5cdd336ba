"""Running the whole product in a folder of its own, as `make run` does."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings

RUNNING = "Ctrl-C stops it"
PATIENCE_SECONDS = 180
# The suite's own; without them the program starts servers of its own.
UNSET = ("DATABASE_URL", "REDIS_URL")


class Run:
    """One `python -m config.run`, with all it has said so far in `output`."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = int(environment.get("PORT") or _free_port())
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.run"],
            cwd=settings.BASE_DIR,
            env=environment_of(home) | {"PORT": str(self.port)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._running = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line
            if RUNNING in line:
                self._running.set()
        self.process.stdout.close()
        self._running.set()

    def until_running(self) -> "Run":
        assert self._running.wait(PATIENCE_SECONDS), self.output
        assert RUNNING in self.output, self.output
        return self

    def until_ended(self) -> int:
        """The exit status, once it has ended by itself."""
        status = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return status

    def press_ctrl_c(self) -> int:
        """As a terminal does it: the whole process group gets the signal; returns the status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.until_ended()

    @property
    def demo(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.home / "demo.json").read_text())
        return facts

    @property
    def curl(self) -> str:
        """The line the program offers for pasting."""
        return re.findall(r"^ *(curl .*)$", self.output, re.MULTILINE)[0]


def environment_of(home: Path) -> dict[str, str]:
    rest = {name: value for name, value in os.environ.items() if name not in UNSET}
    return rest | {"VAR_DIR": str(home), "PYTHONWARNINGS": "default"}


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that works for `home`, whoever started it."""
    return [process for process in psutil.process_iter() if _belongs_to(process, str(home))]


def _belongs_to(process: psutil.Process, home: str) -> bool:
    try:
        return (
            process.environ().get("VAR_DIR") == home
            or any(home in part for part in process.cmdline())
            or process.cwd().startswith(home)
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def a_home(name: str) -> Iterator[Path]:
    """A folder for a run; nothing of it is left at the end, not even processes."""
    home = settings.VAR_DIR / f"run-{name}-{os.environ.get('PYTEST_XDIST_WORKER', '')}"
    home.mkdir()
    yield home
    left = processes_of(home)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left)
    shutil.rmtree(home)
    assert not left, f"left behind: {left}"


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Iterator[Path]:
    with a_home(re.sub(r"\W+", "-", request.node.name)[:40]) as home:
        yield home


@pytest.fixture
def run(home: Path) -> Iterator[Callable[..., Run]]:
    """Starts the product in `home`; whatever still runs at the end gets a Ctrl-C."""
    runs: list[Run] = []

    def start(**environment: str) -> Run:
        runs.append(Run(home, **environment))
        return runs[-1]

    yield start
    for one in runs:
        if one.process.poll() is None:
            one.press_ctrl_c()


@pytest.fixture(scope="module")
def running() -> Iterator[Run]:
    """The product running; for tests that leave it as it is."""
    with a_home("shared") as home:
        run = Run(home).until_running()
        yield run
        assert run.press_ctrl_c() == 0
