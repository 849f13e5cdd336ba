"""The organizations that spend: how many, with what behind them, and the keys they call with."""

from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import bulk
from tests.benchmarks.spending.stage import Stage

TABLES = [
    f"credits_{rows}" for rows in ("organization", "apikey", "wallet", "grant", "spend", "entry")
]


@dataclass(frozen=True)
class World:
    """Each organization has this week's bundle, one in `top_up_every` lasting credits besides."""

    organizations: int
    spends: int
    top_up_every: int = 1
    bundle: int = 1000


def build(stage: Stage, name: str, world: World) -> None:
    """Make a database of that name with the world in it as of now."""
    stage.copy_database(name)
    with stage.connected(name) as connection:
        with connection.transaction(), connection.cursor() as cursor:
            bulk.unhindered(cursor)
            cursor.execute(
                "CREATE TEMP TABLE world (organizations bigint, spends integer, "
                "top_up_every integer, bundle bigint, now timestamptz, week timestamptz "
                "GENERATED ALWAYS AS (ledger_midnight(ledger_week(now))) STORED) ON COMMIT DROP"
            )
            row = (*astuple(world), datetime.now(UTC))
            cursor.execute("INSERT INTO world VALUES (%s, %s, %s, %s, %s)", row)
            bulk.keep_indexes(cursor, TABLES, ready=False)
            cursor.execute(Path(__file__).with_name("world.sql").read_text())
            bulk.keep_indexes(cursor, TABLES, ready=True)
        connection.execute("VACUUM ANALYZE")
    stage.say(f"made {world.organizations:,} organizations")
