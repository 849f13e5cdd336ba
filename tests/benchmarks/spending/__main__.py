"""`make bench`: how near spending comes to what PostgreSQL itself can do, as ratios of one run.

docs/benchmarks.md tells what each figure means. The tables are printed, and kept with everything
behind them in `var/bench.json`.
"""

import argparse
import os
import signal
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
VAR = Path(os.environ.get("VAR_DIR", ROOT / "var")).resolve()
# Before anything of `config` is imported, which reads them.
os.environ.update({"VAR_DIR": str(VAR / "bench"), "ENV_FILE": ""})

from config.processes import Problem, claim  # noqa: E402
from tests.benchmarks.spending import crowd, generators, memory, report, shop, stage  # noqa: E402


def main() -> int:
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    home = VAR / "bench"
    try:
        generators.check()
        with claim(home, "make bench") as processes, stage.opened(processes, home) as opened:
            _measure(opened, options)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 1
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--only", type=_figures, default=list(report.FIGURES), help="figures, with commas"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--seconds", type=float, default=5, help="how long each load is kept up")
    parser.add_argument(
        "--size",
        type=int,
        default=1_000_000,
        help="organizations of refill, refill_shadow and flat, and spends of memory",
    )
    return parser.parse_args()


def _figures(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in report.FIGURES]:
        known = ", ".join(report.FIGURES)
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: unknown; there are {known}")
    return [name for name in report.FIGURES if name in names]


def _measure(opened: stage.Stage, options: argparse.Namespace) -> None:
    results = report.Results()
    for found in _rounds(opened, options):
        results.add(found)
        told = ", ".join(f"{figure} {ratio:.2f}" for figure, ratio in found.ratios.items())
        opened.say(told)
    report.tell(results, print)
    facts = {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "size": options.size,
        "postgresql": opened.value("postgres", "SHOW server_version"),
        "postgresql_settings": stage.SETTINGS,
        "web_workers": stage.WEB_WORKERS,
    }
    path = VAR / "bench.json"
    report.write(results, path, facts)
    print(f"\nAll of it is in {path}; docs/benchmarks.md explains it.")


def _rounds(opened: stage.Stage, options: argparse.Namespace) -> Iterator[report.Round]:
    only: Collection[str] = options.only
    spending = [figure for figure in only if figure in shop.OVER]
    if spending or "memory" in only:
        shop.fill(opened)
    if spending:
        yield from shop.rounds(opened, spending, options.rounds, options.seconds)
    for figure, measure in crowd.PARTS.items():
        if figure in only:
            yield from measure(opened, options.size, options.rounds, options.seconds)
    if "memory" in only:
        yield memory.measure(opened, options.size)


if __name__ == "__main__":
    sys.exit(main())
