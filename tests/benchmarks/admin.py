"""How long the admin takes with a million organizations and ten million entries.

    python -m tests.benchmarks.admin                  make the data set once and measure all pages
    python -m tests.benchmarks.admin --only entry     only those whose name this expression finds
    python -m tests.benchmarks.admin --plans          with the plans of their slower queries

The table is printed and kept as JSON in `var/benchmark`.
"""

import argparse
import logging
import re
import sys
from collections.abc import Iterator

from tests.benchmarks import server

LIMIT_MS = 300
PLANS_ABOVE_MS = 5


def main() -> int:
    options = _options()
    with server.serving():
        return _measure(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--only", default="", help="measure only pages whose name this regular expression finds"
    )
    parser.add_argument("--times", type=int, default=3, help="how often each page is asked for")
    parser.add_argument("--plans", action="store_true", help="print plans of queries above 5 ms")
    parser.add_argument("--json", default="admin.json", help="the file's name in var/benchmark")
    server.add_size(parser)
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> int:
    from django.conf import settings

    from tests.benchmarks import measuring, pages

    size = server.fill(options)
    client = pages.superuser()
    logging.disable(logging.ERROR)
    chosen = [page for page in pages.all_pages() if re.search(options.only, page.name)]
    figures: list[measuring.Figure] = []

    def measured() -> Iterator[measuring.Figure]:
        for page in chosen:
            plans_above_ms = PLANS_ABOVE_MS if options.plans else None
            figure = measuring.measure(
                client, page, times=options.times, plans_above_ms=plans_above_ms
            )
            figures.append(figure)
            yield figure

    measuring.report(measured(), LIMIT_MS, lambda line: print(line, flush=True))
    path = settings.VAR_DIR / options.json
    measuring.write(figures, path, {"size": size})
    slow = [figure for figure in figures if figure.milliseconds > LIMIT_MS]
    print(f"{len(figures)} pages, {len(slow)} above {LIMIT_MS} ms; {path}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
