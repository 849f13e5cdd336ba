"""The figures of one run, as Markdown and as JSON."""

import contextlib
import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.contenders import (
    HTTP,
    IN_DATABASE,
    IN_PROCESS,
    OURS,
    PARTS,
    Contender,
    Failed,
)

GOALS = {IN_PROCESS: 4.0, HTTP: 3.0, IN_DATABASE: 2.5}
TITLES = {
    IN_PROCESS: "In process: 16 processes, each with its own connection",
    HTTP: "Over HTTP: 64 connections",
    IN_DATABASE: "Inside the database: pgbench with 16 clients",
}


@dataclass
class Result:
    """Spends per second by part and contender, one figure a round; or why there are none."""

    contenders: tuple[Contender, ...]
    wallets: int
    seconds: float
    per_second: dict[tuple[str, Contender], list[float]] = field(default_factory=dict)
    reasons: dict[tuple[str, Contender], str] = field(default_factory=dict)

    def add(self, part: str, contender: Contender, per_second: float) -> None:
        self.per_second.setdefault((part, contender), []).append(per_second)

    def fail(self, contender: Contender, reason: str) -> None:
        for part in contender.parts:
            self.reasons[part, contender] = reason

    @contextlib.contextmanager
    def failures_of(self, part: str, contender: Contender) -> Iterator[None]:
        try:
            yield
        except Failed as failed:
            self.reasons[part, contender] = str(failed)

    def times_faster(self, part: str, peer: Contender) -> float | None:
        """The median over the rounds of ours over the peer's."""
        ours, theirs = self.per_second.get((part, OURS)), self.per_second.get((part, peer))
        if not (ours and theirs) or (part, peer) in self.reasons:
            return None
        return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def markdown(result: Result) -> str:
    return "\n\n".join(
        [*(_table(result, part) for part in PARTS if _took_part(result, part)), _promises(result)]
    )


def _took_part(result: Result, part: str) -> bool:
    return any(measured == part for measured, _ in result.per_second)


def _table(result: Result, part: str) -> str:
    rows = [_row(result, part, each) for each in result.contenders if part in each.parts]
    return "\n".join(
        [
            f"### {TITLES[part]}",
            "",
            f"Goal: {GOALS[part]:g} times the fastest.",
            "",
            "| | spends/s, median | lowest to highest | Credits is … times as fast |",
            "|---|---:|---:|---:|",
            *rows,
        ]
    )


def _row(result: Result, part: str, contender: Contender) -> str:
    if reason := result.reasons.get((part, contender)):
        return f"| {_name(contender)} | {reason} | | |"
    figures = result.per_second.get((part, contender))
    if not figures:
        return f"| {_name(contender)} | not measured | | |"
    ratio = None if contender.is_ours else result.times_faster(part, contender)
    return (
        f"| {_name(contender)} | {statistics.median(figures):,.0f} "
        f"| {min(figures):,.0f} to {max(figures):,.0f} | {f'{ratio:.1f}' if ratio else ''} |"
    )


def _name(contender: Contender) -> str:
    return f"{contender.name} {contender.version}".strip()


def _promises(result: Result) -> str:
    rows = [f"| {_name(each)} | {each.keeps} | {each.lacks} |" for each in result.contenders]
    return "\n".join(["| | promises | does not promise |", "|---|---|---|", *rows])


def write(result: Result, path: Path) -> None:
    path.write_text(json.dumps(_facts(result), indent=2) + "\n")


def _facts(result: Result) -> dict[str, Any]:
    facts: dict[str, Any] = {"wallets": result.wallets, "seconds": result.seconds}
    for part in PARTS:
        facts[part] = {
            each.name: {
                "version": each.version,
                "per_second": result.per_second.get((part, each), []),
                "reason": result.reasons.get((part, each)),
                "times_faster": result.times_faster(part, each),
            }
            for each in result.contenders
            if part in each.parts
        }
    return facts
