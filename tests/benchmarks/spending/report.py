"""What the figures are, what they shall reach, and the table and the file they end in."""

import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.spending.generators import Load


@dataclass(frozen=True)
class Figure:
    """A ratio and its target; what is measured is in docs/benchmarks.md."""

    title: str
    target: float
    at_least: bool

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.target if self.at_least else ratio <= self.target


FIGURES = {
    "ceiling": Figure("spends inside the database / bare commits", 0.35, at_least=True),
    "single": Figure("single spends / spends inside the database", 0.5, at_least=True),
    "hot": Figure("one hot organization / the same inside the database", 2, at_least=True),
    "batch_one": Figure("batches of one organization / inside the database", 5, at_least=True),
    "batch_many": Figure("batches of many organizations / inside the database", 2.5, at_least=True),
    "denial": Figure("denials / single spends", 1.2, at_least=True),
    "refill": Figure("refill / COPY of the same rows", 2, at_least=False),
    "refill_shadow": Figure("p99 of spends during a refill / idle", 1.5, at_least=False),
    "flat": Figure("p50 with many organizations / with 1,000", 1.25, at_least=False),
    "memory": Figure("web workers after many spends / after few", 1.1, at_least=False),
}
# Not a ratio of two loads, but of one load's latencies.
TAIL = Figure("p99 / p50 of single spends", 8, at_least=False)


@dataclass
class Round:
    """What one round found: ratios by figure, and the loads they were taken from."""

    ratios: dict[str, float]
    loads: dict[str, Load]


@dataclass
class Results:
    """What all rounds found, in order."""

    ratios: dict[str, list[float]] = field(default_factory=dict)
    loads: dict[str, list[Load]] = field(default_factory=dict)

    def add(self, found: Round) -> None:
        for figure, ratio in found.ratios.items():
            self.ratios.setdefault(figure, []).append(ratio)
        for name, load in found.loads.items():
            self.loads.setdefault(name, []).append(load)

    @property
    def tails(self) -> list[float]:
        return [load.p99_ms / load.p50_ms for load in self.loads.get("single", ())]


def tell(results: Results, say: Callable[[str], None]) -> None:
    """The two tables: the ratios, and the loads behind them."""
    say(f"\n{'figure':14} {'median':>7}  {'min-max':15} {'target':>7}")
    for name, ratios in results.ratios.items():
        say(_ratio_line(name, FIGURES[name], ratios))
        if name == "single":
            say(_ratio_line("  its tail", TAIL, results.tails))
    say(
        f"\n{'load':14} {'per second':>10} {'p50 ms':>7} {'p99 ms':>7}  "
        "busy processors, and µs of each one's time"
    )
    for name, loads in results.loads.items():
        say(_load_line(name, loads))


def _ratio_line(name: str, figure: Figure, ratios: list[float]) -> str:
    median = statistics.median(ratios)
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    target = f"{'≥' if figure.at_least else '≤'} {figure.target:g}"
    verdict = "met   " if figure.is_met(median) else "MISSED"
    return f"{name:14} {median:7.2f}  {spread:15} {target:>7}  {verdict}  {figure.title}"


def _load_line(name: str, loads: list[Load]) -> str:
    facts = summary(loads)
    p50, p99 = (f"{facts[p]:.2f}" if facts[p] else "" for p in ("p50_ms", "p99_ms"))
    busy = ", ".join(
        f"{part} {facts['busy_processors'][part]:.2f} ({us:.0f} µs)"
        for part, us in facts["busy_us_each"].items()
    )
    return f"{name:14} {facts['per_second']:10,.0f} {p50:>7} {p99:>7}  {busy}"


def summary(loads: list[Load]) -> dict[str, Any]:
    """Medians over the rounds; processors' time as how many were busy, and for each one done."""

    def median(value: Callable[[Load], float]) -> float:
        return statistics.median(map(value, loads))

    def busy(per: Callable[[Load], float]) -> dict[str, float]:
        parts = loads[0].busy_seconds
        return {
            part: statistics.median(load.busy_seconds[part] / per(load) for load in loads)
            for part in parts
        }

    return {
        "per_second": median(lambda load: load.per_second),
        "per_second_by_round": [load.per_second for load in loads],
        "p50_ms": median(lambda load: load.p50_ms),
        "p99_ms": median(lambda load: load.p99_ms),
        "busy_processors": busy(lambda load: load.seconds),
        "busy_us_each": busy(lambda load: load.count / 1e6),
    }


def write(results: Results, path: Path, facts: dict[str, Any]) -> None:
    """Keep it all as JSON."""
    document = {
        "ratios": {name: statistics.median(ratios) for name, ratios in results.ratios.items()},
        "single_p99_over_p50": statistics.median(results.tails) if results.tails else None,
        "ratios_by_round": results.ratios,
        "targets": {
            name: {"at_least" if figure.at_least else "at_most": figure.target}
            for name, figure in FIGURES.items()
        },
        "loads": {name: summary(loads) for name, loads in results.loads.items()},
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        **facts,
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def machine() -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "model": next(_processor_models(), platform.machine()),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        **{
            package: importlib.metadata.version(package)
            for package in ("django", "gunicorn", "psycopg", "djangorestframework")
        },
    }


def _processor_models() -> Iterator[str]:
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.startswith("model name"):
            yield line.partition(":")[2].strip()
