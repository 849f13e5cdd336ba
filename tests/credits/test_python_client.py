"""The Python client of the docs, as a customer downloads it, against the running program."""

import importlib.util
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.utils import timezone

from credits import guides
from credits.access import create_key, revoke_key
from credits.models import ApiKey, Organization, Service, Spend

Answer = tuple[int, dict[str, str], bytes]


class Flaky(BaseHTTPRequestHandler):
    """A network between the client and the server, which has the mishaps of its server in turn."""

    protocol_version = "HTTP/1.1"
    server: "FlakyServer"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Idempotency-Key"])
        self.close_connection = True
        mishap = self.server.mishaps.pop(0) if self.server.mishaps else hand_on
        mishap(self, body)

    def ask(self, body: bytes) -> Answer:
        connection = HTTPConnection(self.server.behind, timeout=30)
        connection.request("POST", self.path, body, dict(self.headers))
        response = connection.getresponse()
        answer = response.status, dict(response.headers), response.read()
        connection.close()
        return answer

    def say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name in headers.keys() & {"Content-Type", "Idempotent-Replayed", "Retry-After"}:
            self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class FlakyServer(ThreadingHTTPServer):
    behind: str
    mishaps: list[Callable[[Flaky, bytes], None]]
    keys: list[str | None]


def hand_on(network: Flaky, body: bytes) -> None:
    network.say(*network.ask(body))


def lose_the_answer(network: Flaky, body: bytes) -> None:
    network.ask(body)


def lose_half_of_the_answer(network: Flaky, body: bytes) -> None:
    status, headers, content = network.ask(body)
    network.send_response(status)
    network.send_header("Content-Length", headers["Content-Length"])
    network.end_headers()
    network.wfile.write(content[: len(content) // 2])


def lose_the_request(network: Flaky, body: bytes) -> None:
    pass


def fail_after_the_work(network: Flaky, body: bytes) -> None:
    network.ask(body)
    network.say(502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>")


def be_busy(network: Flaky, body: bytes) -> None:
    network.say(429, {"Retry-After": "0"}, b"")


def be_down_for_an_hour(network: Flaky, body: bytes) -> None:
    network.say(503, {"Retry-After": "3600"}, b"")


def answer_as_somebody_else(network: Flaky, body: bytes) -> None:
    network.say(200, {"Content-Type": "text/html"}, b"<h1>Welcome to the hotel</h1>")


@pytest.fixture
def network(site) -> Iterator[FlakyServer]:
    server = FlakyServer(("127.0.0.1", 0), Flaky)
    server.behind, server.mishaps, server.keys = urlsplit(site).netloc, [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def library(site, tmp_path) -> ModuleType:
    """The file that the server gives, as a module; it waits less between its attempts."""
    cache.clear()
    path = tmp_path / guides.CLIENT
    with urllib.request.urlopen(f"{site}/docs/python/{guides.CLIENT}") as response:
        path.write_bytes(response.read())
    return load(path)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("credits_client", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.FIRST_WAIT_SECONDS = 0.01
    return module


@pytest.fixture
def organization(site) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=50)


@pytest.fixture
def credits(library, organization):
    _, secret = create_key(name="Shop", organization=organization)
    return library.Credits(f"{secret}\n")  # As it is read from a file.


@pytest.fixture
def shaky(library, organization, network):
    """A client whose network has mishaps."""
    _, secret = create_key(name="Shop", organization=organization)
    return library.Credits(secret, base_url=f"http://127.0.0.1:{network.server_port}")


def test_spend_hold_capture_release_and_refund(credits, organization):
    spend = credits.spend("alt-text.generate", quantity=5, reference="image-17")
    assert (spend.credits, spend.status, spend.reference) == (5, "spent", "image-17")
    assert spend.organization == organization.public_id
    assert spend.drawn[0]["kind"] == "weekly"
    assert spend.created_at <= datetime.now(UTC)
    assert spend.balance is None

    part = credits.refund(spend.id, credits=2)
    assert (part.refunded, part.status) == (2, "partially_refunded")
    assert credits.refund(spend.id).status == "refunded"

    hold = credits.hold("background.remove", quantity=10, expires_in_seconds=60)
    assert (hold.spend.status, hold.spend.credits) == ("held", 10)
    assert hold.spend.expires_at > hold.spend.created_at
    captured = credits.capture(hold.id, credits=6)
    assert (captured.status, captured.credits, captured.released) == ("captured", 6, 4)
    assert credits.release(credits.hold("background.remove").id).status == "released"


def test_a_hold_is_released_where_its_block_raises_or_forgets_it(credits):
    with credits.hold("background.remove", quantity=3) as kept:
        kept.capture(credits=2)
    with credits.hold("background.remove") as forgotten:
        pass
    with pytest.raises(ZeroDivisionError), credits.hold("background.remove") as failed:
        1 / 0  # noqa: B018
    states = [Spend.objects.get(pk=hold.id).status for hold in (kept, forgotten, failed)]
    assert states == ["spent", "released", "released"]


def test_a_hold_that_was_captured_elsewhere_ends_its_block_in_peace(credits, library):
    with credits.hold("background.remove") as hold:
        credits.capture(hold.id)
    with pytest.raises(library.Conflict):
        hold.release()
    with pytest.raises(ZeroDivisionError), credits.hold("background.remove") as hold:
        1 / len([credits.capture(hold.id)][1:])


def test_a_key_of_ones_own_repeats_a_spend(credits, library, organization):
    first = credits.spend("alt-text.generate", idempotency_key="job-1")
    again = credits.spend("alt-text.generate", idempotency_key="job-1")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.id == first.id
    with pytest.raises(library.IdempotencyConflict):
        credits.spend("alt-text.generate", quantity=2, idempotency_key="job-1")
    assert organization.spends.count() == 1


def test_a_batch_has_spends_and_refusals_in_order(credits, library):
    asked = [
        {"action": "alt-text.generate", "idempotency_key": "image-1"},
        {"action": "rich-text.generate", "quantity": 51},
        {"action": "no.such"},
    ]
    made, refused, wrong = credits.spend_batch(asked)
    assert (made.credits, made.replayed) == (1, False)
    assert isinstance(refused, library.OutOfCredits)
    assert (refused.required, refused.next_refill["credits"]) == (51, 50)
    assert isinstance(wrong, library.InvalidRequest)
    assert credits.spend_batch(asked[:1])[0].replayed


def test_what_can_be_read(credits, library, organization):
    assert {action["code"] for action in credits.actions()} >= {"alt-text.generate"}
    assert credits.check("alt-text.generate") == {"allowed": True, "required": 1}
    assert not credits.check("alt-text.generate", quantity=51)["allowed"]
    with pytest.raises(library.Forbidden):
        credits.balance()
    with pytest.raises(library.Forbidden):
        credits.usage()

    Organization.objects.update(show_balance=True)
    assert credits.spend("alt-text.generate").balance == 49
    now = timezone.now()
    assert credits.balance()["by_kind"] == {"weekly": 49, "top_up": 0, "staff": 0}
    assert credits.balance(at=now)["balance"] == 49
    assert credits.usage(end=now, by="service")["usage"][0]["name"] == "Image alt text"
    with pytest.raises(ValueError, match="time zone"):
        credits.balance(at=now.replace(tzinfo=None))


def test_a_service_spends_for_the_organizations_it_names(library, organization):
    _, secret = create_key(name="Service", service=Service.objects.get(name="Image alt text"))
    other = Organization.objects.create(name="Zebra", weekly_credits=50)
    service = library.Credits(secret, organization=organization.public_id)
    assert service.spend("alt-text.generate").organization == organization.public_id
    others = service.for_organization(other.public_id)
    assert others.spend_batch([{"action": "alt-text.generate"}])[0].organization == other.public_id
    assert others.check("alt-text.generate")["allowed"]
    assert [other.spends.count(), organization.spends.count()] == [1, 1]


def test_a_token_for_a_page(library, organization):
    _, secret = create_key(
        name="Page", organization=organization, allowed_origins=["https://shop.example"]
    )
    token = library.Credits(secret).create_token(
        ["alt-text.generate"],
        origins=["https://shop.example"],
        spend_limit=20,
        expires_in_seconds=60,
    )
    assert token["token"].startswith("ct_")
    assert token["spend_limit"] == 20


def test_errors_say_what_to_do(credits, library, site):
    with pytest.raises(library.OutOfCredits) as out:
        credits.spend("alt-text.generate", quantity=51)
    assert out.value.detail.startswith("You've used all your")
    assert out.value.top_up_url == f"{site}/top-up/"
    assert (out.value.required, out.value.next_refill["credits"]) == (51, 50)
    assert out.value.request_id

    with pytest.raises(library.InvalidRequest) as wrong:
        credits.spend("no.such")
    assert [error["field"] for error in wrong.value.errors] == ["action"]
    assert str(wrong.value) == wrong.value.detail
    with pytest.raises(library.NotFound):
        credits.refund("00000000-0000-4000-8000-000000000000")
    with pytest.raises(library.NotFound):
        credits.refund("../../keys")

    revoke_key(ApiKey.objects.get(), now=timezone.now())
    with pytest.raises(library.Unauthorized):
        credits.spend("alt-text.generate")


@pytest.mark.parametrize(
    "mishap",
    [
        lose_the_request,
        lose_the_answer,
        lose_half_of_the_answer,
        fail_after_the_work,
        be_busy,
        answer_as_somebody_else,
    ],
)
def test_what_got_lost_is_asked_for_again_and_spent_once(shaky, network, organization, mishap):
    network.mishaps = [mishap, mishap]
    spend = shaky.spend("alt-text.generate", quantity=2)
    assert organization.spends.get().pk.hex == spend.id.replace("-", "")
    assert len(network.keys) == 3
    assert len(set(network.keys)) == 1
    assert network.keys[0]


def test_each_call_has_a_key_of_its_own(shaky, network):
    spend = shaky.spend("alt-text.generate")
    shaky.hold("alt-text.generate")
    shaky.refund(spend.id)
    assert len(set(network.keys)) == 3


def test_a_capture_whose_answer_was_lost_is_made_once(shaky, network, organization):
    with shaky.hold("background.remove", quantity=10) as hold:
        network.mishaps = [lose_the_answer, fail_after_the_work]
        assert hold.capture(credits=6).credits == 6
    assert organization.spends.get().released_credits == 4


def test_it_gives_up_after_some_attempts(shaky, library, network, organization):
    network.mishaps = [lose_the_request] * 9
    with pytest.raises(library.Unreachable, match="No answer"):
        shaky.spend("alt-text.generate")
    assert len(network.keys) == 4
    assert not organization.spends.exists()


def test_it_does_not_wait_for_an_hour(shaky, library, network):
    network.mishaps = [be_down_for_an_hour]
    with pytest.raises(library.ServerError) as down:
        shaky.spend("alt-text.generate")
    assert down.value.retry_after_seconds == 3600
    assert len(network.keys) == 1


def test_what_is_refused_is_not_repeated(shaky, library, network):
    with pytest.raises(library.OutOfCredits):
        shaky.spend("alt-text.generate", quantity=51)
    assert len(network.keys) == 1


def test_nobody_listening_is_told_as_such(library):
    with pytest.raises(library.Unreachable):
        library.Credits("ck_org_x", base_url="http://127.0.0.1:9", max_retries=1).actions()


def test_the_key_does_not_follow_a_redirect(library, site):
    """What is asked for without a slash at the end moved, to where the key has no business."""
    wrong = library.Credits("ck_org_x", base_url=site)
    wrong._api_url = f"{site}/docs"
    with pytest.raises(library.CreditsError) as moved:
        wrong._get("api")
    assert moved.value.status in (301, 302)


@pytest.mark.parametrize("base_url", ["file:///etc/passwd", "credits.example", ""])
def test_an_address_that_is_no_web_address_is_refused(library, base_url):
    with pytest.raises(ValueError, match="https://"):
        library.Credits("ck_org_x", base_url=base_url)
