"""What runs in a contender's own environment: it sets up, spends, and asks what was spent.

    python -m tests.benchmarks.peers.runner nostro set_up 10000

The last line printed is the answer as JSON. `DATABASE_URL` is the contender's own database. A
contender is a module of this package with

    set_up(count)           tables, and `count` wallets with more credits than a run can spend
    wallets(count)          what `spend` takes, read before the clock starts
    spend(wallet, key)      one credit, committed; `key` is the idempotency key, new each time
    spent()                 the credits spent so far, by the contender's own books

and, where it has them, `request(count)` for HTTP and `script(count)` for pgbench.
"""

import argparse
import importlib
import json
import multiprocessing
import random
import time
import uuid
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

PROCESSES = 16
WARM_UP_SPENDS = 20
_FORK = multiprocessing.get_context("fork")

_barrier: Any = None  # Each process's own: where all wait for each other.


@dataclass(frozen=True)
class Spell:
    """What one process spent, before the clock started and after; one credit each time."""

    warm_up: int
    spends: int
    seconds: float
    busy_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender")
    parser.add_argument("verb", choices=("set_up", "spend", "spent", "request", "script"))
    parser.add_argument("count", type=int, nargs="?", help="of wallets")
    parser.add_argument("seconds", type=float, nargs="?")
    options = parser.parse_args()
    contender = importlib.import_module(f"tests.benchmarks.peers.{options.contender}")
    print(json.dumps(_answer(contender, options)))


def _answer(contender: ModuleType, options: argparse.Namespace) -> Any:
    if options.verb == "spend":
        return spend(contender, options.count, options.seconds)
    if options.verb == "spent":
        return contender.spent()
    return getattr(contender, options.verb)(options.count)


def spend(contender: ModuleType, count: int, seconds: float) -> list[dict[str, Any]]:
    """Spend from `count` wallets for `seconds` in 16 processes, each with its own connection."""
    barrier = _FORK.Barrier(PROCESSES)
    with _FORK.Pool(PROCESSES, _join, (barrier,)) as pool:
        tasks = [(contender.__name__, count, seconds)] * PROCESSES
        # Each takes one task, since nobody goes on before all are at the barrier.
        return [asdict(spell) for spell in pool.starmap(_spell, tasks, chunksize=1)]


def _join(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _spell(name: str, count: int, seconds: float) -> Spell:
    contender = importlib.import_module(name)
    wallets = contender.wallets(count)
    choose = random.Random(uuid.uuid4().int).choice
    mine = uuid.uuid4().hex
    for number in range(WARM_UP_SPENDS):
        contender.spend(choose(wallets), f"{mine}-w{number}")
    _barrier.wait(timeout=120)
    started, worked = time.monotonic(), time.process_time()
    spends = 0
    while time.monotonic() < started + seconds:
        contender.spend(choose(wallets), f"{mine}-{spends}")
        spends += 1
    elapsed, busy = time.monotonic() - started, time.process_time() - worked
    return Spell(WARM_UP_SPENDS, spends, elapsed, busy)


if __name__ == "__main__":
    main()
