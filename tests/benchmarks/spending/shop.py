"""Spending by 10,000 organizations: inside the database, over HTTP, one by one and in batches."""

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from config.processes import Problem, write_private
from tests.benchmarks.spending import world
from tests.benchmarks.spending.generators import Answers, Load, pgbench, wrk
from tests.benchmarks.spending.report import Round
from tests.benchmarks.spending.stage import Stage

DATABASE = "shop"
ORGANIZATIONS = 10_000
# Some history, as PostgreSQL plans by the statistics of what is there.
EARLIER_SPENDS = 20
CONNECTIONS, BATCH_CONNECTIONS, BATCH = 64, 8, 100
CLIENTS = 16
WARM_UP_SECONDS = 2
REST_SECONDS = 0.5

# Each figure is the first load's speed over the second one's, both taken in the same round.
OVER = {
    "ceiling": ("function", "commit"),
    "single": ("single", "function"),
    "hot": ("hot", "hot_function"),
    "batch_one": ("batch_one", "function"),
    "batch_many": ("batch_many", "function"),
    "denial": ("denial", "single"),
}
# Who calls: a key, and with a service's key the organization it names.
CALLERS = {
    "everybody": f"""SELECT bench_secret('ck_org_', id) FROM credits_organization
        WHERE id <= {ORGANIZATIONS}""",
    "one": "SELECT bench_secret('ck_org_', 1)",
    "service": f"""SELECT bench_secret('ck_svc_', 1) || ' ' || public_id FROM credits_organization
        WHERE id <= {ORGANIZATIONS}""",
    "poor": f"""SELECT bench_secret('ck_org_', id) FROM credits_organization
        WHERE id > {ORGANIZATIONS}""",
}


@dataclass(frozen=True)
class Shop:
    """The database of the spends and who calls; each load takes `seconds`."""

    stage: Stage
    seconds: float

    def commit(self) -> Load:
        return pgbench(self.stage, DATABASE, "commit", clients=CLIENTS, seconds=self.seconds)

    def function(self, last: int = ORGANIZATIONS) -> Load:
        before = self.spends()
        load = pgbench(
            *(self.stage, DATABASE, "spend"),
            clients=CLIENTS,
            seconds=self.seconds,
            first=1,
            last=last,
            action="alt-text.generate",
        )
        made = self.spends() - before
        if made != load.count:
            raise Problem(f"{load.count} calls made {made} spends.")
        return load

    def hot_function(self) -> Load:
        return self.function(last=1)

    def single(self) -> Load:
        return self._spending("everybody", CONNECTIONS)

    def hot(self) -> Load:
        return self._spending("one", CONNECTIONS)

    def batch_one(self) -> Load:
        return self._spending("one", BATCH_CONNECTIONS, batch=BATCH)

    def batch_many(self) -> Load:
        return self._spending("service", BATCH_CONNECTIONS, batch=BATCH)

    def denial(self) -> Load:
        made = self.spends()
        self._see_a_denial()
        answers, busy = self._wrk("poor", CONNECTIONS)
        self._see_a_denial()
        if answers.above_399 != answers.answered or self.spends_at_rest() != made:
            raise Problem("Somebody without credits was not refused.")
        return _load(answers, busy)

    def _spending(self, callers: str, connections: int, *, batch: int = 0) -> Load:
        """Every answer is a spend, and every spend but those under way at the end was answered."""
        before = self.spends()
        answers, busy = self._wrk(callers, connections, batch=batch)
        size = batch or 1
        made = self.spends_at_rest() - before
        if answers.above_399:
            raise Problem(f"{answers.above_399} of {answers.answered} requests were refused.")
        if not answers.answered * size <= made <= answers.sent * size:
            raise Problem(
                f"{answers.answered * size} spends were answered and {answers.sent * size} asked "
                f"for, but {made} were made."
            )
        return _load(answers, busy, size)

    def _wrk(
        self, callers: str, connections: int, batch: int = 0
    ) -> tuple[Answers, dict[str, float]]:
        path = self.callers_file(callers)
        return wrk(self.stage, path, connections=connections, seconds=self.seconds, batch=batch)

    def callers_file(self, callers: str) -> Path:
        return self.stage.home / f"{callers}.callers"

    def _see_a_denial(self) -> None:
        key = self.callers_file("poor").read_text().split()[0]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.stage.web_port}/api/v1/spends",
            data=b'{"action": "alt-text.generate"}',
            headers={
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/json",
                "X-Forwarded-Proto": "https",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status = answer.status
        except urllib.error.HTTPError as refusal:
            status = refusal.code
        if status != 402:
            raise Problem(f"Without credits the answer is {status} instead of 402.")

    def spends(self) -> int:
        """How many there are."""
        return int(self.stage.value(DATABASE, "SELECT count(*) FROM credits_spend"))

    def spends_at_rest(self) -> int:
        """How many there are once those are made that were under way when a load ended."""
        before = -1
        while (spends := self.spends()) != before:
            before = spends
            time.sleep(REST_SECONDS)
        return spends


def _load(answers: Answers, busy: dict[str, float], size: int = 1) -> Load:
    count = answers.answered * size
    return Load(count, answers.seconds, answers.p50_ms, answers.p99_ms, busy)


def fill(stage: Stage) -> None:
    """Make the database and the files of who calls."""
    world.build(stage, DATABASE, world.World(ORGANIZATIONS, EARLIER_SPENDS))
    with stage.connected(DATABASE) as connection:
        for statement in Path(__file__).with_name("shop.sql").read_text().split(";\n"):
            connection.execute(statement)
        for callers, query in CALLERS.items():
            lines = [line for (line,) in connection.execute(query)]
            write_private(stage.home / f"{callers}.callers", "\n".join(lines))


def rounds(stage: Stage, figures: Collection[str], count: int, seconds: float) -> Iterator[Round]:
    """Take all loads that the figures need, in every other round in the opposite order."""
    names = list(dict.fromkeys(load for figure in figures for load in reversed(OVER[figure])))
    with stage.serving(DATABASE) if _need_web(names) else contextlib.nullcontext():
        _take(Shop(stage, min(seconds, WARM_UP_SECONDS)), names)
        shop = Shop(stage, seconds)
        for nth in range(count):
            loads = _take(shop, names if nth % 2 == 0 else names[::-1])
            yield Round({figure: _ratio(loads, *OVER[figure]) for figure in figures}, loads)
    stage.check_ledger(DATABASE)


def _need_web(names: Collection[str]) -> bool:
    return not {"commit", "function", "hot_function"}.issuperset(names)


def _take(shop: Shop, names: Collection[str]) -> dict[str, Load]:
    takers: dict[str, Callable[[], Load]] = {name: getattr(shop, name) for name in names}
    return {name: take() for name, take in takers.items()}


def _ratio(loads: dict[str, Load], above: str, below: str) -> float:
    return loads[above].per_second / loads[below].per_second
