"""Behind PgBouncer in transaction mode, with few connections to PostgreSQL, all is as ever."""

import configparser
import io
import os
import re
import shutil
import socket
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
import pytest
import requests
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from credits import ledger
from credits.access import create_key
from credits.ledger import audit
from credits.models import Entry, Organization
from tests.concurrency.conftest import program, serving
from tests.visitor import Visitor
from topups.models import Plan, Purchase

GUIDE = settings.BASE_DIR / "docs" / "scaling.md"
OLDEST = (1, 22)
CALLERS = 64
CONNECTIONS = 4
ACTION = "alt-text.generate"
# What PgBouncer gives each client back as that client has set it.
TRACKED = {"application_name", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone"}
RUN_THE_SCHEDULE = """
import django; django.setup()
from django_celery_beat.models import PeriodicTask
from config.celery import app
app.loader.import_default_modules()
for task in PeriodicTask.objects.values_list("task", flat=True).distinct():
    app.tasks[task].apply(throw=True)
"""


@dataclass
class Pooler:
    """A PgBouncer in front of the test's database, which is at `url`."""

    process: psutil.Popen
    port: int
    url: str

    @property
    def clients(self) -> int:
        return self._connections(lambda found: found.laddr.port == self.port)

    @property
    def servers(self) -> int:
        postgres = int(connection.settings_dict["PORT"])
        return self._connections(lambda found: found.raddr.port == postgres)

    def _connections(self, wanted: Callable[..., bool]) -> int:
        return sum(map(wanted, filter(lambda f: f.raddr, self.process.net_connections("tcp"))))


@pytest.fixture(scope="session")
def pgbouncer() -> str:
    """The program, or else the test is skipped: what to install is in the message."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        pytest.skip("PgBouncer is not installed; 1.22 or newer is needed")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert version, said
    if tuple(map(int, version.groups())) < OLDEST:
        pytest.skip(f"{version[0]} is too old for prepared statements; 1.22 or newer is needed")
    return found


def configuration(home: Path, port: int) -> str:
    """The guide's own, but for addresses, file names and how many connections there are."""
    [example] = re.findall(r"```ini\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(example)
    where = "host={HOST} port={PORT}".format(**connection.settings_dict)
    config["databases"] = {connection.settings_dict["NAME"]: where}
    config["pgbouncer"].update(
        listen_addr="127.0.0.1",
        listen_port=str(port),
        unix_socket_dir="",
        auth_file=str(home / "users.txt"),
        default_pool_size=str(CONNECTIONS),
    )
    text = io.StringIO()
    config.write(text)
    return text.getvalue()


@pytest.fixture
def pooler(pgbouncer: str, committed_db: None) -> Iterator[Pooler]:
    database = connection.settings_dict
    home = settings.VAR_DIR / f"pgbouncer-{uuid.uuid4().hex}"
    home.mkdir(mode=0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (home / "users.txt").write_text(f'"{database["USER"]}" "{database["PASSWORD"]}"\n')
    (home / "pgbouncer.ini").write_text(configuration(home, port))
    # It refuses to run as root.
    harmless = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
    url = "postgres://{}:{}@127.0.0.1:{}/{}".format(
        *(quote(str(part)) for part in (database["USER"], database["PASSWORD"], port)),
        quote(database["NAME"]),
    )
    with psutil.Popen([pgbouncer, "--quiet", home / "pgbouncer.ini"], **harmless) as process:
        try:
            _wait_for(port, process)
            yield Pooler(process, port, url)
        finally:
            process.kill()  # asked politely, it waits for its clients
    shutil.rmtree(home)


def _wait_for(port: int, process: psutil.Popen) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("PgBouncer did not start.")


@pytest.fixture
def web(pooler: Pooler) -> Iterator[str]:
    """The web server behind PgBouncer, with many more connections than PostgreSQL has; its URL."""
    server = ("-m", "gunicorn", "-c", "config/gunicorn.py")
    with serving(*server, DATABASE_URL=pooler.url, WEB_THREADS=str(CALLERS // 2)) as url:
        yield url


@pytest.fixture
def organization(committed_db: None) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=20_000, show_balance=True)


@pytest.fixture
def call(web: str, organization: Organization) -> Callable[..., requests.Response]:
    """Posts to the API as an extension with a key."""
    _, secret = create_key(name="Test", organization=organization)

    def call(path: str, body: dict, key: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {secret}", **({"Idempotency-Key": key} if key else {})}
        return requests.post(f"{web}/api/v1/{path}", json=body, headers=headers, timeout=60)

    return call


def at_once(call: Callable[[int], object], times: int = CALLERS) -> list:
    with ThreadPoolExecutor(times) as callers:
        return list(callers.map(call, range(times)))


def assert_sound(organization: Organization) -> None:
    assert list(audit.findings()) == []
    sequence = organization.entries.order_by("seq").values_list("seq", flat=True)
    assert list(sequence) == list(range(1, len(sequence) + 1))


def all_connections(pooler: Pooler, query: str) -> Iterator[set]:
    """What a query finds on each of the connections to PostgreSQL."""
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            client = stack.enter_context(psycopg.connect(pooler.url))
            # Its transaction stays open, and so its connection is nobody else's.
            yield {name for (name,) in client.execute(query)}


def assert_nothing_left_behind(pooler: Pooler) -> None:
    """No connection has a setting that one client made and the next one does not know of."""
    for found in all_connections(pooler, "SELECT name FROM pg_settings WHERE source = 'session'"):
        assert found <= TRACKED


def test_64_callers_spend_over_4_connections(organization, call, pooler):
    Organization.objects.filter(pk=organization.pk).update(weekly_credits=250)

    def spend_5_times(caller: int) -> list[int]:
        return [
            call("spends", {"action": ACTION}, key=f"{caller}-{n // 2}").status_code
            for n in range(10)
        ]

    statuses = Counter(status for caller in at_once(spend_5_times) for status in caller)
    assert statuses[201] + statuses[402] == 640
    assert (pooler.clients > CONNECTIONS, pooler.servers) == (True, CONNECTIONS)
    assert organization.spends.count() == 250
    assert ledger.balance(organization, now=timezone.now()).total == 0
    assert_sound(organization)
    for statements in all_connections(pooler, "SELECT name FROM pg_prepared_statements"):
        assert any(name.startswith("PGBOUNCER_") for name in statements)
    assert_nothing_left_behind(pooler)


def settle(call: Callable[..., requests.Response], caller: int) -> list[int]:
    """Use every call once, and some so that they are refused and rolled back."""
    batch = {"spends": [{"action": ACTION, "idempotency_key": f"{caller}-{n}"} for n in range(10)]}
    spend = call("spends", {"action": ACTION, "quantity": 2}).json()
    captured = call("holds", {"action": ACTION, "quantity": 5}).json()
    released = call("holds", {"action": ACTION}).json()
    return [
        call(path, body).status_code
        for path, body in (
            ("spends/batch", batch),
            ("spends/batch", batch),
            (f"spends/{spend['id']}/refund", {"credits": 1}),
            (f"spends/{spend['id']}/refund", {"credits": 2}),
            (f"holds/{captured['id']}/capture", {"credits": 3}),
            (f"holds/{released['id']}/release", {}),
            (f"holds/{released['id']}/capture", {}),
            ("spends", {"action": "no.such"}),
        )
    ]


def test_batches_holds_and_refunds_and_what_is_refused(organization, call, pooler):
    answers = at_once(lambda caller: settle(call, caller), 16)
    assert {tuple(answer) for answer in answers} == {(200, 200, 200, 400, 200, 200, 409, 400)}
    assert -sum(Entry.objects.exclude(kind="grant").values_list("credits", flat=True)) == 16 * 14
    assert_sound(organization)
    assert_nothing_left_behind(pooler)


def test_a_file_of_usage_is_sent_while_others_spend(organization, call, web):
    batch = {"spends": [{"action": ACTION}] * 1_000}
    assert [call("spends/batch", batch).status_code for _ in range(5)] == [200] * 5
    visitor = Visitor(organization)
    today = f"{timezone.now():%Y-%m-%d}"
    address = f"{web}/usage.csv?first_day={today}&last_day={today}"

    def download(n: int) -> Iterable[str]:
        if n % 2:
            return [str(call("spends", {"action": ACTION}).status_code)]
        return visitor.get(address).text.splitlines()

    found = at_once(download, 8)
    assert found[1::2] == [["201"]] * 4
    for lines in found[::2]:
        assert lines[0].startswith('"time",')
        assert 5_000 < len(set(lines)) == len(lines) <= 5_005
    assert_sound(organization)


def test_the_admin_asks_at_leisure_and_offers_choices(organization, call, web, pooler):
    staff = Visitor(organization, is_staff=True, is_superuser=True)
    task = PeriodicTask.objects.first()
    pages = {
        "/admin/": "Credits",
        f"/admin/credits/organization/{organization.pk}/change/": "Acme",
        "/admin/credits/spend/?q=acme": "spend",
        "/admin/django_celery_beat/periodictask/add/": "<option",
        f"/admin/django_celery_beat/periodictask/{task.pk}/change/": "selected",
        "/health/ready/": "ready",
    }
    call("spends", {"action": ACTION})
    for answers in at_once(lambda _: [staff.get(f"{web}{page}") for page in pages], 24):
        assert [answer.status_code for answer in answers] == [200] * len(pages)
        for answer, part in zip(answers, pages.values(), strict=True):
            assert part in answer.text
    assert_nothing_left_behind(pooler)


def test_a_top_up_is_bought_and_spent(organization, call, web):
    Organization.objects.filter(pk=organization.pk).update(weekly_credits=0)
    buyer = Visitor(organization)
    plan = Plan.objects.get(credits=500)
    page = buyer.post(f"{web}/top-up/", {"plan": str(plan.pk)}).headers["Location"]
    paid = buyer.post(page, {"card_number": "4242 4242 4242 4242"})
    assert "500 credits added" in buyer.get(paid.headers["Location"]).text
    assert Purchase.objects.get().status == Purchase.Status.PAID
    assert call("spends", {"action": ACTION, "quantity": 500}).status_code == 201
    assert call("spends", {"action": ACTION}).status_code == 402
    assert_sound(organization)


def test_the_whole_schedule_runs_while_others_spend(organization, call, web, pooler):
    def work(n: int) -> list[int]:
        if n:
            return [call("spends", {"action": ACTION}).status_code for _ in range(20)]
        with program("-c", RUN_THE_SCHEDULE, DATABASE_URL=pooler.url, BASE_URL=web) as schedule:
            return [schedule.wait(60)]

    assert at_once(work, 9) == [[0]] + [[201] * 20] * 8
    assert work(0) == [0]
    assert_sound(organization)
    assert_nothing_left_behind(pooler)
