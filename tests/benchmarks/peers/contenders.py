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
class Promises:
    """What a commit says. All are as durable as PostgreSQL's commit, at *read committed*."""

    repeated_key: str
    below_zero: str
    record: str
    spent_first: str
    weekly_bundle: str = "no"


@dataclass(frozen=True)
class Contender:
    """A module of this package, by the name of its package, and the parts it takes part in."""

    module: str
    name: str
    parts: tuple[str, ...]
    promises: Promises

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
        try:
            done = subprocess.run(
                [self.python(), *command],
                cwd=BASE_DIR,
                env=self.environment(stage),
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{verb} took more than {TIMEOUT_SECONDS} seconds") from None
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


ONE_BALANCE = "one balance"
BY_CONVENTION = "append-only by convention"
CHANGEABLE = "can be changed"
FIRST_ANSWER = "the first answer; another request under it is refused"
FIRST_WHATEVER = "the first answer, whatever is asked"
SPENT_AGAIN = "is spent again"

OURS = Contender(
    "ours",
    "Credits",
    PARTS,
    Promises(
        repeated_key=FIRST_ANSWER,
        below_zero="refused, under the wallet's lock",
        record="append-only by trigger; entries numbered without gaps",
        spent_first="lowest priority, then soonest expiry, then oldest",
        weekly_bundle="given by the first spend of the week",
    ),
)
PEERS = (
    Contender(
        "stapel",
        "stapel-billing",
        (IN_PROCESS, HTTP),
        Promises(
            repeated_key=f"{FIRST_WHATEVER}; by the wallet's lock",
            below_zero="refused, under the wallet's lock; or on request taken as debt",
            record=BY_CONVENTION,
            spent_first="soonest expiry",
            weekly_bundle="no; bundles by a job",
        ),
    ),
    Contender(
        "credit_ledger",
        "credit-ledger",
        (IN_PROCESS,),
        Promises(
            repeated_key=f"{FIRST_WHATEVER}; by a unique key",
            below_zero="refused, by a guarded `UPDATE`",
            record=f"{BY_CONVENTION}; with the balance after",
            spent_first=ONE_BALANCE,
        ),
    ),
    Contender(
        "nostro",
        "hf-nostro",
        (IN_PROCESS, IN_DATABASE),
        Promises(
            repeated_key=FIRST_ANSWER,
            below_zero="taken, as debt",
            record="append-only by trigger; another checks each balance",
            spent_first="soonest expiry",
        ),
    ),
    Contender(
        "hordak",
        "django-hordak",
        (IN_PROCESS,),
        Promises(
            repeated_key=SPENT_AGAIN,
            below_zero="taken; neither read nor locked",
            record=f"{CHANGEABLE}; double entry, balanced at commit by trigger",
            spent_first=f"{ONE_BALANCE}, the sum of all legs",
        ),
    ),
    Contender(
        "dj_wallet",
        "dj-wallet",
        (IN_PROCESS,),
        Promises(
            repeated_key=SPENT_AGAIN,
            below_zero="refused, under the wallet's lock",
            record=CHANGEABLE,
            spent_first=ONE_BALANCE,
        ),
    ),
    Contender(
        "pgledger",
        "pgledger",
        (IN_DATABASE,),
        Promises(
            repeated_key=SPENT_AGAIN,
            below_zero="refused where the account says so, under both locks",
            record=f"{BY_CONVENTION}; double entry, with balances before and after",
            spent_first=ONE_BALANCE,
        ),
    ),
)


def chosen(names: str) -> tuple[Contender, ...]:
    """Ours and the named ones (all for an empty text), comma-separated; raises `Problem`."""
    if not PEERS_PYTHON.exists():
        raise Problem("make bench-peers installs the peers first.")
    wanted = set(filter(None, names.split(",")))
    if unknown := wanted - {peer.name for peer in PEERS}:
        known = ", ".join(peer.name for peer in PEERS)
        raise Problem(f"{', '.join(sorted(unknown))} is not among the peers: {known}.")
    return (OURS, *(peer for peer in PEERS if not wanted or peer.name in wanted))
