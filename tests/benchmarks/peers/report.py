"""The figures of one run, as Markdown and as JSON."""

import json
import statistics
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.contenders import (
    HTTP,
    IN_DATABASE,
    IN_PROCESS,
    OURS,
    PARTS,
    Contender,
    Promises,
)
from tests.benchmarks.peers.parts import Pace

GOALS = {IN_PROCESS: 4.0, HTTP: 3.0, IN_DATABASE: 2.5}
TITLES = {
    IN_PROCESS: "In process: 16 processes, each with its own connection",
    HTTP: "Over HTTP: 64 connections",
    IN_DATABASE: "Inside the database: pgbench with 16 clients",
}


@dataclass
class Result:
    """The pace by part and contender, one a round; or the reason why there is none."""

    contenders: tuple[Contender, ...]
    wallets: int
    seconds: float
    paces: dict[tuple[str, Contender], list[Pace]] = field(default_factory=dict)
    reasons: dict[tuple[str, Contender], str] = field(default_factory=dict)

    def add(self, part: str, contender: Contender, pace: Pace) -> None:
        self.paces.setdefault((part, contender), []).append(pace)

    @property
    def ours_failed(self) -> bool:
        return any(contender.is_ours for _, contender in self.reasons)

    def fail(self, part: str, contender: Contender, reason: str) -> None:
        self.reasons[part, contender] = reason

    def times_faster(self, part: str, peer: Contender) -> float | None:
        """The median over the rounds of ours over the peer's."""
        ours, theirs = (self.paces.get((part, each), []) for each in (OURS, peer))
        if self.reasons.keys() & {(part, OURS), (part, peer)} or not (ours and theirs):
            return None
        rounds = zip(ours, theirs, strict=True)
        return statistics.median(our.per_second / their.per_second for our, their in rounds)


def markdown(result: Result) -> str:
    return "\n\n".join(
        [*(_table(result, part) for part in PARTS if _took_part(result, part)), _promises(result)]
    )


def _took_part(result: Result, part: str) -> bool:
    return any(measured == part for measured, _ in result.paces)


def _table(result: Result, part: str) -> str:
    rows = [_row(result, part, each) for each in result.contenders if part in each.parts]
    return "\n".join(
        [
            f"### {TITLES[part]}",
            "",
            f"Goal: {GOALS[part]:g} times the fastest.",
            "",
            f"| | spends/s | lowest to highest | processor ms a spend{_where(part)} | "
            "Credits is … times as fast |",
            "|---|---:|---:|---:|---:|",
            *rows,
        ]
    )


def _where(part: str) -> str:
    return "" if part == IN_DATABASE else ": program + PostgreSQL"


def _row(result: Result, part: str, contender: Contender) -> str:
    if reason := result.reasons.get((part, contender)):
        return f"| {_name(contender)} | {reason} | | | |"
    paces = result.paces.get((part, contender))
    if not paces:
        return f"| {_name(contender)} | not measured | | | |"
    figures = [pace.per_second for pace in paces]
    ratio = None if contender.is_ours else result.times_faster(part, contender)
    return (
        f"| {_name(contender)} | {statistics.median(figures):,.0f} "
        f"| {min(figures):,.0f} to {max(figures):,.0f} | {_processor(part, paces)} "
        f"| {f'{ratio:.1f}' if ratio else ''} |"
    )


def _processor(part: str, paces: list[Pace]) -> str:
    program = statistics.median(pace.program_ms for pace in paces)
    database = statistics.median(pace.database_ms for pace in paces)
    return f"{database:.2f}" if part == IN_DATABASE else f"{program:.2f} + {database:.2f}"


def _name(contender: Contender) -> str:
    return f"{contender.name} {contender.version}".strip()


def _promises(result: Result) -> str:
    titles = [field.name.replace("_", " ") for field in fields(Promises)]
    rows = [["", *titles], ["---"] * (len(titles) + 1)]
    rows += [[_name(each), *astuple(each.promises)] for each in result.contenders]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write(result: Result, path: Path) -> None:
    path.write_text(json.dumps(_facts(result), indent=2) + "\n")


def _facts(result: Result) -> dict[str, Any]:
    facts: dict[str, Any] = {"wallets": result.wallets, "seconds": result.seconds}
    for part in PARTS:
        facts[part] = {
            each.name: {
                "version": each.version,
                "rounds": [asdict(pace) for pace in result.paces.get((part, each), [])],
                "reason": result.reasons.get((part, each)),
                "times_faster": result.times_faster(part, each),
            }
            for each in result.contenders
            if part in each.parts
        }
    return facts
