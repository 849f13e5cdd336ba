"""Who is compared, what each promises, and how to talk to it in its own environment."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from config.environment import BASE_DIR
from config.processes import Problem
from tests.benchmarks.spending.stage import Stage

PEERS_PYTHON = BASE_DIR / ".venv-peers" / "bin" / "python"
PEERS_PINS = BASE_DIR / "requirements-peers.txt"
IN_PROCESS, HTTP, IN_DATABASE = PARTS = ("in-process", "http", "in-database")
TIMEOUT_SECONDS = 600


class Failed(Exception):
    """A contender could not be measured; the text says why."""


@dataclass(frozen=True)
class Contender:
    """A module of this package, the parts it takes part in, and its promises in brief."""

    module: str
    name: str
    parts: tuple[str, ...]
    keeps: str
    lacks: str

    @property
    def is_ours(self) -> bool:
        return self.module == "ours"

    @property
    def version(self) -> str:
        """Its pinned version; empty for what is not a package."""
        pins = dict(line.split("==") for line in PEERS_PINS.read_text().split() if "==" in line)
        return pins.get(self.name, "")

    def environment(self, stage: Stage) -> dict[str, str]:
        if self.is_ours:
            return stage.environment(self.module)
        return {"PATH": os.environ["PATH"], "DATABASE_URL": stage.url(self.module)} | {
            name: os.environ[name] for name in ("PGLEDGER",) if name in os.environ
        }

    def python(self) -> str:
        """That of the peers, for what is a package of theirs."""
        return str(PEERS_PYTHON) if self.version else sys.executable

    def call(self, stage: Stage, verb: str, *numbers: float) -> Any:
        """What its runner answers; raises `Failed` with the last line of what went wrong."""
        command = ["-m", "tests.benchmarks.peers.runner", self.module, verb, *map(str, numbers)]
        done = subprocess.run(
            [self.python(), *command],
            cwd=BASE_DIR,
            env=self.environment(stage),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        log = stage.home / "log" / f"{self.module}.log"
        with log.open("a") as file:
            file.write(done.stderr)
        if done.returncode:
            raise Failed((done.stderr.strip().splitlines() or ["it says nothing"])[-1][:200])
        return json.loads(done.stdout.splitlines()[-1])

    def set_up(self, stage: Stage, count: int) -> None:
        """Make its database anew; raises `Failed`."""
        if self.module == "pgledger" and not os.environ.get("PGLEDGER"):
            raise Failed("not measured: PGLEDGER=/path/to/pgledger.sql names its file")
        if self.is_ours:
            stage.copy_database(self.module)
        else:
            stage.drop_database(self.module)
            with stage.connected() as connection:
                connection.execute(f"CREATE DATABASE {self.module}")
        self.call(stage, "set_up", count)
        with stage.connected(self.module) as connection:
            connection.execute("VACUUM ANALYZE")


OURS = Contender(
    "ours",
    "Credits",
    PARTS,
    "idempotency per organization; no overdraft, checked under the wallet's lock; append-only "
    "entries, by trigger, with gapless numbers; burn-down of grants; weekly refill on first touch; "
    "price list, suspension, notices",
    "",
)
PEERS = (
    Contender(
        "stapel",
        "stapel-billing",
        (IN_PROCESS, HTTP),
        "idempotency, looked for under the wallet's lock; no overdraft; lots, soonest expiry first",
        "append-only by convention alone; a repeated key with another request is answered with "
        "the first; no refill in the spend",
    ),
    Contender(
        "credit_ledger",
        "credit-ledger",
        (IN_PROCESS,),
        "idempotency by unique key; no overdraft, by a guarded UPDATE; row security by tenant",
        "grants, burn-down, expiry, refill; append-only by convention; a repeated key with "
        "another amount is answered with the first",
    ),
    Contender(
        "nostro",
        "hf-nostro",
        (IN_PROCESS, IN_DATABASE),
        "idempotency, conflicts refused; append-only by trigger; lots, soonest expiry first",
        "a spend beyond the balance is taken and becomes debt; refill",
    ),
    Contender(
        "hordak",
        "django-hordak",
        (IN_PROCESS,),
        "double entry, balanced at commit by trigger",
        "idempotency; overdraft is neither checked nor locked; entries can be changed; grants, "
        "expiry, refill",
    ),
    Contender(
        "dj_wallet",
        "dj-wallet",
        (IN_PROCESS,),
        "no overdraft, checked under the wallet's lock",
        "idempotency; entries can be changed; grants, expiry, refill",
    ),
    Contender(
        "pgledger",
        "pgledger",
        (IN_DATABASE,),
        "double entry with balances before and after; no overdraft, checked under both locks",
        "idempotency; append-only by convention; grants, expiry, refill",
    ),
)
EVERYBODY = (OURS, *PEERS)


def chosen(names: str) -> tuple[Contender, ...]:
    """Ours and the named ones (all for an empty text), comma-separated; raises `Problem`."""
    wanted = set(filter(None, names.split(",")))
    if unknown := wanted - {peer.name for peer in PEERS}:
        known = ", ".join(peer.name for peer in PEERS)
        raise Problem(f"{', '.join(sorted(unknown))} is not among the peers: {known}.")
    return (OURS, *(peer for peer in PEERS if not wanted or peer.name in wanted))
