"""`make bench-peers`: other ledgers beside ours, spending one credit each, durable, in one run.

docs/peers.md tells who they are and how each is set up. The tables are printed as Markdown, and
kept in `var/bench-peers.json`. `PGLEDGER=/path/to/pgledger.sql` adds pgledger.
"""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
VAR = Path(os.environ.get("VAR_DIR", ROOT / "var")).resolve()
# Before anything of `config` is imported, which reads them.
os.environ.update({"VAR_DIR": str(VAR / "bench-peers"), "ENV_FILE": ""})

from config.processes import Problem, claim
from tests.benchmarks.peers import contenders, parts, report
from tests.benchmarks.peers.contenders import Contender, Failed
from tests.benchmarks.spending import generators, stage

Measure = Callable[[float], parts.Pace]


def main() -> int:
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    home = VAR / "bench-peers"
    try:
        generators.check()
        everybody = contenders.chosen(options.peers)
        with claim(home, "make bench-peers") as processes, stage.opened(processes, home) as opened:
            result = _measure(opened, everybody, options)
    except (Problem, KeyboardInterrupt) as problem:
        print(str(problem) or "Stopped.", file=sys.stderr)
        return 1
    print(f"\n{report.markdown(result)}")
    report.write(result, VAR / "bench-peers.json")
    return int(result.ours_failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peers", default="", help="measure only these, with commas")
    parser.add_argument(
        "--only", choices=contenders.PARTS, nargs="+", default=contenders.PARTS, help="parts"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--seconds", type=float, default=5, help="how long each load is kept up")
    parser.add_argument("--wallets", type=int, default=10_000, help="of each, to spend from")
    return parser.parse_args()


def _measure(
    opened: stage.Stage, everybody: tuple[Contender, ...], options: argparse.Namespace
) -> report.Result:
    result = report.Result(everybody, options.wallets, options.seconds)
    with contextlib.ExitStack() as servers:
        measures = _prepared(opened, everybody, options, servers, result)
        for number in range(1, options.rounds + 1):
            for (part, contender), measure in sorted(measures.items(), key=_by_part):
                try:
                    pace = measure(options.seconds)
                    result.add(part, contender, pace)
                    outcome = f"{pace.per_second:7.0f}/s"
                except Failed as failed:
                    outcome = str(failed)
                    result.fail(part, contender, outcome)
                _say(f"round {number}  {part:<12} {contender.name:<15} {outcome}")
    return result


def _prepared(
    opened: stage.Stage,
    everybody: tuple[Contender, ...],
    options: argparse.Namespace,
    servers: contextlib.ExitStack,
    result: report.Result,
) -> dict[tuple[str, Contender], Measure]:
    """Set everybody up and start their servers; what fails is noted, and is not measured."""
    measures: dict[tuple[str, Contender], Measure] = {}
    for contender in everybody:
        _say(f"setting up {contender.name}")
        try:
            contender.set_up(opened, options.wallets)
            for part in contender.parts:
                if part in options.only:
                    measures[part, contender] = _way(part, opened, contender, options, servers)
        except Failed as failed:
            for part in contender.parts:
                result.fail(part, contender, str(failed))
            _say(f"{contender.name}: {failed}")
    return measures


def _way(
    part: str,
    opened: stage.Stage,
    contender: Contender,
    options: argparse.Namespace,
    servers: contextlib.ExitStack,
) -> Measure:
    if part == contenders.HTTP:
        served = parts.endpoint(opened, contender, options.wallets)
        return servers.enter_context(served).measure
    measure = parts.in_process if part == contenders.IN_PROCESS else parts.in_database
    return lambda seconds: measure(opened, contender, options.wallets, seconds)


def _by_part(measure: tuple[tuple[str, Contender], Measure]) -> int:
    """So that ours and its peers are measured in the same minute."""
    (part, _), _ = measure
    return contenders.PARTS.index(part)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
