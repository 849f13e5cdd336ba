"""The database of the benchmarks: PostgreSQL with its data in `var/benchmark`, made once and kept.

    python -m tests.benchmarks.server

makes it where it is missing, prints its address and serves it until Ctrl-C; benchmarks that run
meanwhile use it, and start it for themselves otherwise.
"""

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def serving() -> Iterator[None]:
    """Django on the benchmarks' database: the one that runs already, or one for this program."""
    # Before anything of `config` is imported, which reads it.
    var = Path(os.environ.get("VAR_DIR", ROOT / "var"))
    os.environ["VAR_DIR"] = str(var / "benchmark")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

    from config import embedded

    with embedded.for_a_command():
        import django

        django.setup()
        yield


def add_size(parser: argparse.ArgumentParser) -> None:
    """How much the database is filled with, where it is not yet."""
    parser.add_argument("--organizations", type=int, default=1_000_000)
    parser.add_argument("--spends", type=int, default=8_000_000)
    parser.add_argument("--purchases", type=int, default=200_000)


def fill(options: argparse.Namespace) -> dict[str, int]:
    """Migrate, fill the database where it is empty, and say how many rows its tables have."""
    from django.core.management import call_command
    from django.utils import timezone

    from credits import totals
    from credits.models import Organization
    from tests.benchmarks import dataset

    call_command("migrate", verbosity=0)
    if not Organization.objects.exists():
        started = time.monotonic()

        def say(line: str) -> None:
            print(f"{time.monotonic() - started:6.0f} s  {line}", flush=True)

        size = dataset.Size(options.organizations, options.spends, options.purchases)
        dataset.build(size, until=timezone.now(), say=say)
        say("vacuum")
        dataset.settle("VACUUM ANALYZE")
        say("totals")
        totals.roll_up(now=timezone.now())
        dataset.settle()
        say("filled")
    return _rows()


def _rows() -> dict[str, int]:
    from django.db import connection

    from credits import models
    from topups.models import Purchase

    tables = (models.Organization, models.User, models.Grant, models.Spend, models.Entry, Purchase)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples::bigint FROM pg_class WHERE relname = ANY(%s)",
            [[model._meta.db_table for model in tables]],
        )
        return dict(cursor.fetchall())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_size(parser)
    options = parser.parse_args()
    with serving():
        from django.conf import settings

        print(fill(options))
        print(f"DATABASE_URL={settings.DATABASE_URL}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    sys.exit(main())
