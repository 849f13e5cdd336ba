"""What a spend leaves behind: bytes in tables, indexes and the write-ahead log, and processor time.

    python -m tests.benchmarks.growth

starts a PostgreSQL of its own with an empty database, spends in it one by one, then a hundred per
commit, and prints what each way cost. `docs/scaling.md` computes with these figures.
"""

import argparse
import os
import random
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

ACTION = "alt-text.generate"
AT_ONCE = 100


@dataclass(frozen=True)
class Spent:
    """What there is so far, in bytes and seconds of PostgreSQL's processor time."""

    spend_table: float
    spend_indexes: float
    entry_table: float
    entry_indexes: float
    wal: float
    wal_full_pages: float
    processor_seconds: float

    def per_spend(self, before: "Spent", spends: int) -> "Spent":
        names = [field.name for field in fields(self)]
        return Spent(*((getattr(self, name) - getattr(before, name)) / spends for name in names))


@contextmanager
def server() -> Iterator[None]:
    """Django on an empty database of its own, with nothing switched off."""
    with tempfile.TemporaryDirectory(prefix="credits-growth-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        os.environ |= {"VAR_DIR": folder, "ENV_FILE": "", "REDIS_URL": "redis://127.0.0.1:1/0"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

        from config import embedded
        from config.processes import claim

        with claim(home, "growth") as processes:
            os.environ |= embedded.start(processes, home, {"DATABASE_URL"})
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            yield


def so_far() -> Spent:
    import psutil
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_table_size('credits_spend'), pg_indexes_size('credits_spend'),"
            " pg_table_size('credits_entry'), pg_indexes_size('credits_entry'),"
            " pg_current_wal_insert_lsn() - '0/0', wal_fpi * 8192, pg_backend_pid()"
            " FROM pg_stat_wal"
        )
        *sizes, backend = cursor.fetchone()
    postmaster = psutil.Process(backend).parent()
    ended = postmaster.cpu_times()
    times = [process.cpu_times() for process in postmaster.children()]
    seconds = sum(time.user + time.system for time in times)
    return Spent(*map(float, sizes), seconds + ended.children_user + ended.children_system)


def measured(spend: Callable[[], None], spends: int) -> Spent:
    before = so_far()
    spend()
    return so_far().per_spend(before, spends)


def items(organizations: list[Any], spends: int) -> Iterator[Any]:
    """Spends as extensions ask for them: a random key for each, and a short reference."""
    from credits import ledger

    for n in range(spends):
        organization = random.choice(organizations)
        yield ledger.SpendItem(organization, ACTION, 1, f"image-{n:06}", str(uuid.uuid4()))


def one_by_one(organizations: list[Any], spends: int, key: Any) -> None:
    from django.utils import timezone

    from credits import ledger

    for item in items(organizations, spends):
        ledger.spend(
            item.organization,
            item.action,
            reference=item.reference,
            idempotency_key=item.idempotency_key,
            api_key=key,
            now=timezone.now(),
        )


def together(organizations: list[Any], spends: int, key: Any) -> None:
    from django.utils import timezone

    from credits import ledger

    wanted = items(organizations, spends)
    while group := list(islice(wanted, AT_ONCE)):
        ledger.spend_batch(group, api_key=key, now=timezone.now())


def show(title: str, cost: Spent) -> None:
    print(f"\n{title}")
    for field in fields(cost):
        value = getattr(cost, field.name)
        if field.name == "processor_seconds":
            print(f"  {'processor, microseconds':24}{value * 1e6:10.0f}")
        else:
            print(f"  {field.name.replace('_', ' ') + ', bytes':24}{value:10.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--alone", type=int, default=10_000, help="spends that are made alone")
    parser.add_argument("--together", type=int, default=100_000, help="spends made in groups")
    options = parser.parse_args()
    with server():
        from credits.access import create_key
        from credits.models import Organization

        rows = [
            Organization(name=f"Organization {n}", weekly_credits=1_000_000)
            for n in range(options.organizations)
        ]
        organizations = Organization.objects.bulk_create(rows)
        key, _ = create_key(name="Benchmark", organization=organizations[0])
        one_by_one(organizations, 2 * len(organizations), key)  # gives the week's bundles
        alone = measured(lambda: one_by_one(organizations, options.alone, key), options.alone)
        show("A spend alone in its commit", alone)
        grouped = measured(lambda: together(organizations, options.together, key), options.together)
        show(f"A spend among {AT_ONCE} in a commit", grouped)


if __name__ == "__main__":
    sys.exit(main())
