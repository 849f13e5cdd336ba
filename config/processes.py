"""Real child processes: started, watched, stopped in reverse order, and never left behind.

Whoever starts some claims a folder first. The claim is a file lock, so it ends with its owner
however that dies, and a record beside it tells the next owner which processes a killed one left.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.05


class Problem(Exception):
    """What the person at the keyboard can mend; its text is the whole line to show."""


class AlreadyClaimed(Problem):
    """Another living process owns the folder."""


class StopAsked(Exception):
    """Ctrl-C or a signal asked us to stop."""


@dataclass(frozen=True)
class Recorded:
    """What identifies a process after its parent is gone; pids alone are used again."""

    name: str
    pid: int
    started_at: float
    stop_signal: int


@dataclass(frozen=True)
class Child:
    name: str
    process: subprocess.Popen[bytes]
    stop_signal: int
    stop_seconds: float


class Processes:
    """The children of one owner; `record` is kept true at every start and stop."""

    def __init__(self, record: Path, stop_asked: Callable[[], bool] = lambda: False) -> None:
        self._record = record
        self._stop_asked = stop_asked
        self._children: list[Child] = []

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        stop_signal: int = signal.SIGTERM,
        stop_seconds: float = 30,
        **popen: Any,
    ) -> subprocess.Popen[bytes]:
        """Start `command` in a session of its own, so that a terminal's Ctrl-C reaches only us."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.parent.chmod(0o700)  # Locally, links to set a password anew are written to the log.
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **popen,
            )
        self._children.append(Child(name, process, stop_signal, stop_seconds))
        self._write_record()
        return process

    def run(self, name: str, command: Sequence[str | Path], *, log: Path, **popen: Any) -> None:
        """Start `command` and wait for its end; raises `Problem` when it fails."""
        process = self.start(name, command, log=log, **popen)
        while process.poll() is None:
            self.check(ending=process)
            time.sleep(POLL_SECONDS)
        self._forget(process)
        if process.returncode:
            self.check()  # A Ctrl-C in the moment of its birth reaches the child, too.
            raise Problem(f"{name} failed: {last_line(log)} (all of it is in {log})")

    def wait_until(self, ready: Callable[[], bool], what: str, *, timeout_seconds: float) -> None:
        """Return once `ready()`; raises `Problem` when a child dies or the time is up."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if time.monotonic() > deadline:
                raise Problem(f"{what} is not ready after {timeout_seconds:.0f} seconds.")
            self.pause()

    def pause(self) -> None:
        """Let a moment pass; raises as `check` does."""
        self.check()
        time.sleep(POLL_SECONDS)

    def check(self, *, ending: subprocess.Popen[bytes] | None = None) -> None:
        """Raise `StopAsked`, or `Problem` when a child other than `ending` has ended."""
        if self._stop_asked():
            raise StopAsked
        for child in self._children:
            if child.process is not ending and child.process.poll() is not None:
                raise Problem(f"{child.name} ended by itself (status {child.process.returncode}).")

    def stop_all(self) -> None:
        """Stop the children, the last started first."""
        while self._children:
            self.stop(self._children[-1].process)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop one child before the others."""
        [child] = [child for child in self._children if child.process is process]
        _stop(process, child.stop_signal, child.stop_seconds)
        self._forget(process)

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        self._children = [child for child in self._children if child.process is not process]
        self._write_record()

    def _write_record(self) -> None:
        recorded = [
            asdict(Recorded(child.name, child.process.pid, started_at, child.stop_signal))
            for child in self._children
            if (started_at := _started_at(child.process.pid)) is not None
        ]
        write_private(self._record, json.dumps(recorded))


@contextlib.contextmanager
def claim(
    home: Path, owner: str, *, stop_asked: Callable[[], bool] = lambda: False
) -> Iterator[Processes]:
    """Own `home` and the processes started in it until the block ends, or `stop_asked()`.

    Stops what a killed earlier owner left there. Raises `AlreadyClaimed` while another owner lives.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "owner.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyClaimed(
                f"{lock.read() or 'Another process'} is running already and uses {home}. "
                "End it first."
            ) from None
        lock.truncate(0)
        lock.write(f"{owner} (process {os.getpid()})")
        lock.flush()
        record = home / "processes.json"
        stop_leftovers(record)
        processes = Processes(record, stop_asked)
        try:
            yield processes
        finally:
            processes.stop_all()
            record.unlink(missing_ok=True)


def stop_leftovers(record: Path) -> None:
    """Stop the processes that `record` names, as far as they still are the recorded ones."""
    for leftover in reversed(_read_record(record)):
        started_at = _started_at(leftover.pid)
        # A little play, because start times are kept relative to a clock that may be set.
        if started_at is not None and abs(started_at - leftover.started_at) < 2:
            stop_leftover(leftover.name, leftover.pid, leftover.stop_signal)


def stop_leftover(name: str, pid: int, stop_signal: int, *, stop_seconds: float = 30) -> None:
    """Stop a process that is not our child; kill its session when it takes too long."""
    import psutil

    print(f"Stopping {name} (process {pid}), left by a killed run.", flush=True)

    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.send_signal(stop_signal)
        try:
            process.wait(stop_seconds)
        except psutil.TimeoutExpired:
            os.killpg(pid, signal.SIGKILL)
            process.wait()


def _stop(process: subprocess.Popen[bytes], stop_signal: int, stop_seconds: float) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(stop_seconds)
            return
    # Too slow, or dead before its time: then its own children may still be there.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _started_at(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _read_record(record: Path) -> list[Recorded]:
    try:
        return [Recorded(**row) for row in json.loads(record.read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step by a file only its owner can read."""
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def last_line(log: Path) -> str:
    """The last line of a log that says something; empty when there is none."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].strip() if lines else ""
