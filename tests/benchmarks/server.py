"""The database of the benchmarks: PostgreSQL with its data in `var/benchmark`, made once and kept.

    python -m tests.benchmarks.server

serves it until Ctrl-C and prints its address; benchmarks that run meanwhile use it.
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


def fill(size) -> None:
    """Migrate, and fill the database unless it is filled already."""
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from credits.models import Organization
    from tests.benchmarks import dataset

    call_command("migrate", verbosity=0)
    if Organization.objects.exists():
        return
    started = time.monotonic()
    say = lambda line: print(f"{time.monotonic() - started:6.0f} s  {line}", flush=True)  # noqa
    dataset.build(size, until=timezone.now(), say=say)
    say("VACUUM")
    dataset.analyze("VACUUM ANALYZE")
    say("filled")
