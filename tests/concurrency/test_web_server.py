"""The web server as it runs in production: slow, odd and vanished clients, and its own death."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.db import connection, transaction

from credits.access import create_key
from credits.ledger import audit
from credits.models import ApiKey, Organization, Spend, Wallet
from tests.concurrency.conftest import serving
from tests.concurrency.locks import wait_for_who_waits_for_a_lock
from tests.concurrency.patience import patient_groups
from tests.concurrency.threads import at_once

ALT = b'{"action": "alt-text.generate"}'
THREADS = 2


@pytest.fixture
def organization(committed_db: None) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=1_000)


@pytest.fixture
def secret(organization: Organization) -> str:
    return create_key(name="Test", organization=organization)[1]


@contextmanager
def a_server(**environment: str) -> Iterator[str]:
    """One process with few threads, whose first answer is out."""
    settings = {"WEB_WORKERS": "1", "WEB_THREADS": str(THREADS), **environment}
    with serving("-m", "gunicorn", "-c", "config/gunicorn.py", **settings) as url:
        other = Organization.objects.create(name="First", weekly_credits=5)
        assert spend(url, create_key(name="First", organization=other)[1]).status_code == 201
        assert spend_all(url, create_key(name="First", organization=other)[1]).status_code == 200
        yield url


@pytest.fixture
def server(committed_db: None) -> Iterator[str]:
    with a_server() as url:
        yield url


def spend(url: str, secret: str, body: bytes = ALT, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(
        f"{url}/api/v1/spends",
        body,
        headers={
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/json",
            **named,
        },
        timeout=30,
    )


def spend_all(url: str, secret: str, body: bytes = b'{"spends": [%s]}' % ALT) -> requests.Response:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    return requests.post(f"{url}/api/v1/spends/batch", body, headers=headers, timeout=30)


class Client:
    """A client of our own making, which sends what it likes."""

    def __init__(self, url: str) -> None:
        self.socket = socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), 30)
        self.file = self.socket.makefile("rb")

    def send(self, secret: str, *lines: str, body: bytes = b"", path: str = "spends") -> None:
        head = [
            f"POST /api/v1/{path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {secret}",
            "Content-Type: application/json",
            *lines,
        ]
        self.socket.sendall("\r\n".join([*head, "", ""]).encode() + body)

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def read(self) -> tuple[int, Any]:
        """The status and body of the next answer."""
        status = int(self.file.readline().split()[1])
        length = 0
        while line := self.file.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, json.loads(self.file.read(length)) if length else None


@pytest.fixture
def connect() -> Iterator[Callable[[str], Client]]:
    """Makes clients, and closes them in the end."""
    with ExitStack() as stack:

        def connect(url: str) -> Client:
            client = Client(url)
            stack.callback(client.close)
            return client

        yield connect


Connect = Callable[[str], Client]


@pytest.mark.parametrize("path", ["spends", "holds", "spends/batch"])
def test_who_sends_slowly_holds_nobody_up(
    server: str, secret: str, path: str, connect: Connect
) -> None:
    body = b'{"spends": [%s]}' % ALT if path.endswith("batch") else ALT
    slow = [connect(server) for _ in range(3 * THREADS)]
    for client in slow:
        client.send(secret, f"Content-Length: {len(body)}", body=body[:9], path=path)
    assert [spend(server, secret).status_code for _ in range(3)] == [201] * 3
    assert requests.get(f"{server}/health/", timeout=30).status_code == 200
    for client in slow:
        client.socket.sendall(body[9:])
    assert {client.read()[0] for client in slow} <= {200, 201}


def test_who_does_not_read_holds_nobody_up(server: str, secret: str, connect: Connect) -> None:
    deaf = [connect(server) for _ in range(3 * THREADS)]
    for client in deaf:
        for _ in range(20):
            client.send(secret, f"Content-Length: {len(ALT)}", body=ALT)
    assert [spend(server, secret).status_code for _ in range(3)] == [201] * 3
    assert [client.read()[0] for client in deaf for _ in range(20)] == [201] * 60 * THREADS


def test_who_hangs_up_in_the_middle_asks_nothing(
    server: str, secret: str, connect: Connect
) -> None:
    for path in ("spends", "holds"):
        client = connect(server)
        client.send(secret, f"Content-Length: {len(ALT) + 1}", body=ALT, path=path)
        client.close()
    assert spend(server, secret).status_code == 201
    assert Spend.objects.filter(organization__name="Acme").count() == 1


def test_a_body_without_a_length_is_refused(server: str, secret: str, connect: Connect) -> None:
    client = connect(server)
    client.send(
        secret, "Transfer-Encoding: chunked", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(ALT), ALT)
    )
    status, problem = client.read()
    assert (status, problem["code"]) == (411, "length_required")


def test_who_asks_whether_to_go_on_is_told_to(server: str, secret: str, connect: Connect) -> None:
    client = connect(server)
    client.send(secret, f"Content-Length: {len(ALT)}", "Expect: 100-continue")
    assert client.read() == (100, None)
    client.socket.sendall(ALT)
    assert client.read()[0] == 201


def test_a_stuck_wallet_holds_up_its_own_spends_alone(
    server: str, organization: Organization, secret: str, connect: Connect
) -> None:
    other = create_key(
        name="Other", organization=Organization.objects.create(name="Other", weekly_credits=50)
    )[1]
    stuck = connect(server)
    with transaction.atomic():
        Wallet.objects.select_for_update().get(organization=organization)
        stuck.send(secret, f"Content-Length: {len(ALT)}", body=ALT)
        wait_for_who_waits_for_a_lock()
        answers = at_once(lambda _: spend(server, other).status_code, range(20))
        assert answers == [201] * 20
    assert stuck.read()[0] == 201
    assert Spend.objects.filter(organization=organization).count() == 1
    assert list(audit.findings()) == []


KEYED_BATCH = b'{"spends": [{"action": "alt-text.generate", "idempotency_key": "one"}]}'


@pytest.mark.parametrize(
    ("path", "body", "header", "made"),
    [
        ("spends", ALT, "Idempotency-Key: one", 201),
        ("spends/batch", KEYED_BATCH, "Accept: */*", 200),
    ],
)
def test_a_group_whose_connection_is_lost_is_told_so_and_may_repeat(
    server: str,
    organization: Organization,
    secret: str,
    connect: Connect,
    path: str,
    body: bytes,
    header: str,
    made: int,
) -> None:
    client = connect(server)
    request = (f"Content-Length: {len(body)}", header, "X-Request-ID: order-4711")
    with patient_groups(), transaction.atomic():
        Wallet.objects.select_for_update().get(organization=organization)
        client.send(secret, *request, body=body, path=path)
        pid = wait_for_who_waits_for_a_lock()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        status, problem = client.read()
    assert (status, problem["code"]) == (503, "unavailable")
    client.send(secret, *request, body=body, path=path)
    assert client.read()[0] == made
    assert Spend.objects.filter(organization=organization).count() == 1


def test_a_batch_killed_between_commit_and_answer_gets_its_first_answer_when_repeated(
    web_server: str, organization: Organization, secret: str
) -> None:
    dying = ("-m", "tests.concurrency.dying_web", "credits.api.fast_batches.render", "before")
    with serving(*dying, WEB_WORKERS="1") as url:
        assert spend_all(url, secret).status_code == 200  # By the view.
        with pytest.raises(requests.ConnectionError):
            spend_all(url, secret, KEYED_BATCH)
    committed = Spend.objects.get(idempotency_key="one")
    for _ in range(6):
        (result,) = spend_all(web_server, secret, KEYED_BATCH).json()["results"]
        assert (result["replayed"], result["spend"]["id"]) == (True, str(committed.pk))
    assert Spend.objects.filter(organization=organization).count() == 2
    assert list(audit.findings()) == []


def test_killed_between_commit_and_answer_the_repeat_gets_the_first_answer(
    web_server: str, organization: Organization, secret: str
) -> None:
    dying = ("-m", "tests.concurrency.dying_web", "credits.api.fast_spends._spend_body", "before")
    with serving(*dying, WEB_WORKERS="1") as url:
        assert spend(url, secret).status_code == 201  # By the view.
        with pytest.raises(requests.ConnectionError):
            spend(url, secret, Idempotency_Key="one")
    committed = Spend.objects.get(idempotency_key="one")
    repeats = [spend(web_server, secret, Idempotency_Key="one") for _ in range(6)]
    assert {answer.json()["id"] for answer in repeats} == {str(committed.pk)}
    assert all(answer.headers["Idempotent-Replayed"] == "true" for answer in repeats)
    assert Spend.objects.filter(organization=organization).count() == 2
    assert list(audit.findings()) == []


def test_it_stops_when_what_is_under_way_is_answered(
    organization: Organization, secret: str, connect: Connect
) -> None:
    with a_server() as url:
        client = connect(url)
        with transaction.atomic():
            Wallet.objects.select_for_update().get(organization=organization)
            client.send(secret, f"Content-Length: {len(ALT)}", body=ALT)
            wait_for_who_waits_for_a_lock()
            (server,) = listeners(url)
            os.kill(server, signal.SIGTERM)
        assert client.read()[0] == 201


def listeners(url: str) -> set[int]:
    """The processes that listen there but for workers: the masters."""
    import psutil

    port = urlsplit(url).port
    masters = set()
    for process in psutil.process_iter(["cmdline", "environ"]):
        if (process.info["environ"] or {}).get("PORT") == str(port):
            parent = process.parent()
            if parent and (parent.environ() or {}).get("PORT") != str(port):
                masters.add(process.pid)
    return masters


def test_a_key_at_its_limit_is_stopped_and_the_others_go_on(
    organization: Organization, secret: str
) -> None:
    other = create_key(name="Other", organization=organization)[1]
    with a_server(API_REQUESTS_PER_MINUTE="10") as url:
        answers = [spend(url, secret) for _ in range(40)]
        refused = [answer for answer in answers if answer.status_code != 201]
        assert refused
        assert {answer.json()["code"] for answer in refused} == {"rate_limited"}
        assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in refused)
        assert spend(url, other).status_code == 201


def test_without_valkey_all_pass(secret: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        redis = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        with a_server(API_REQUESTS_PER_MINUTE="3", REDIS_URL=redis) as url:
            assert [spend(url, secret).status_code for _ in range(10)] == [201] * 10


def test_when_a_key_was_last_used_is_noted(server: str, secret: str) -> None:
    assert spend(server, secret).status_code == 201
    key = ApiKey.objects.get(name="Test")
    while key.last_used_at is None:
        key.refresh_from_db()


def test_batches_count_as_one_request_each_against_the_limit_and_note_their_key(
    secret: str,
) -> None:
    with a_server(API_REQUESTS_PER_MINUTE="10") as url:
        body = b'{"spends": [%s]}' % b",".join([ALT] * 5)
        answers = [spend_all(url, secret, body) for _ in range(40)]
        assert [answer.status_code for answer in answers[:5]] == [200] * 5
        assert {answer.status_code for answer in answers} == {200, 429}
        key = ApiKey.objects.get(name="Test")
        while key.last_used_at is None:
            key.refresh_from_db()


def test_each_request_has_its_line(secret: str, capfd: pytest.CaptureFixture[str]) -> None:
    with a_server() as url:
        assert spend(url, secret, X_Request_ID="order-4711").headers["X-Request-ID"] == "order-4711"
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "order-4711" in line]
    assert "credits.requests [order-4711] POST /api/v1/spends 201 in " in line
