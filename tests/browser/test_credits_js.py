"""credits.js in pages of another origin: spends once, tries again safely, says what failed."""

import gzip
import re
import urllib.request
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route
from shop import ACTION, MODULE

from credits import ledger
from credits.access import create_key
from credits.api import throttling, views
from credits.models import Grant, Spend

SPEND = f"credits.spend('{ACTION}')"
# Each with its error and how many requests it takes.
REFUSALS = {
    "credits.spend('sparkle.make')": ("InvalidRequest", "invalid_request", 400, 1),
    f"credits.spend('{ACTION}', {{ quantity: 0 }})": ("InvalidRequest", "invalid_request", 400, 1),
    "credits.spend('background.remove')": ("Forbidden", "forbidden", 403, 1),
    f"credits.hold('{ACTION}').then((hold) => hold.release().then(() => hold.capture()))": (
        "Conflict",
        "conflict",
        409,
        3,
    ),
    f"credits.spend('{ACTION}', {{ idempotencyKey: 'k' }}).then(() => "
    f"credits.spend('{ACTION}', {{ idempotencyKey: 'k', quantity: 2 }}))": (
        "IdempotencyConflict",
        "idempotency_conflict",
        422,
        2,
    ),
}
ATTEMPT = """async () => {{
  try {{ return {{ made: await {call} }}; }}
  catch (error) {{ return {{ ...error, kind: error.name, message: error.message }}; }}
}}"""


@pytest.fixture
def page(page: Page, shop) -> Page:
    """The shop's page, its module loaded."""
    page.goto(shop.url)
    page.wait_for_function("window.credits")
    return page


def attempt(page: Page, call: str = SPEND) -> dict[str, Any]:
    """What a call of the module made, or the error it ended with."""
    return page.evaluate(ATTEMPT.format(call=call))


def start(page: Page, call: str = SPEND) -> None:
    """Begin a call whose end `outcome` tells."""
    page.evaluate(f"window.outcome = ({ATTEMPT.format(call=call)})(); undefined")


def outcome(page: Page) -> dict[str, Any]:
    return page.evaluate("window.outcome")


def spends(shop) -> int:
    return shop.organization.spends.count()


class Wire:
    """The API's requests of a page, some of which go otherwise: `Wire(page, [lose, server_error])`.

    Each step is done to one request after the other, which otherwise reaches the server.
    """

    def __init__(self, page: Page, steps=(), path: str = "**/api/v1/*") -> None:
        self.keys: list[str] = []
        self.steps = list(steps)
        page.route(path, self._handle)

    def _handle(self, route: Route) -> None:
        if route.request.method == "OPTIONS":
            route.continue_()
            return
        self.keys.append(route.request.headers.get("idempotency-key", ""))
        step = self.steps.pop(0) if self.steps else Route.continue_
        step(route)


def lose_answer(route: Route) -> None:
    """The server does it, and its answer does not arrive."""
    assert route.fetch().status == 201
    route.abort()


def answer_html(route: Route) -> None:
    """As the sign-in page of a hotel's network does."""
    headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/html"}
    route.fulfill(status=200, headers=headers, body="<h1>Welcome to our Wi-Fi</h1>")


def answer_502(route: Route) -> None:
    """As a proxy does when the server behind it is gone."""
    route.fulfill(status=502, headers={"Access-Control-Allow-Origin": "*"}, body="Bad gateway")


def test_the_module_is_small_immutable_and_open_to_every_page(site):
    with urllib.request.urlopen(f"{site}{MODULE}", timeout=10) as answer:
        headers, served = answer.headers, answer.read()
    assert len(gzip.compress(served, 9)) < 6_000
    assert headers["Cache-Control"] == "max-age=315360000, public, immutable"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Content-Type"].startswith("text/javascript")


def test_a_page_of_another_origin_spends(page, shop):
    made = attempt(page, f"credits.spend('{ACTION}', {{ quantity: 2, reference: 'image-17' }})")
    spend = shop.organization.spends.get()
    assert (spend.reference, spend.quantity, spend.credits) == ("image-17", 2, 2)
    assert made["made"]["id"] == str(spend.pk)
    assert made["made"]["createdAt"] == spend.created_at.replace(
        microsecond=spend.created_at.microsecond // 1000 * 1000
    )


def test_a_hold_is_captured_in_part_or_released(page, shop):
    held = f"credits.hold('{ACTION}', {{ quantity: 3, expiresInSeconds: 60 }})"
    captured = attempt(page, f"{held}.then((hold) => hold.capture({{ credits: 1 }}))")["made"]
    assert (captured["status"], captured["credits"], captured["released"]) == ("captured", 1, 2)
    single = f"credits.hold('{ACTION}')"
    assert attempt(page, f"{single}.then((hold) => hold.release())")["made"]["status"] == "released"
    assert [spend.credits - spend.released_credits for spend in Spend.objects.order_by("id")] == [
        1,
        0,
    ]


def test_prices_and_whether_there_is_enough_can_be_asked(page, shop):
    assert [action["code"] for action in attempt(page, "credits.actions()")["made"]] == [ACTION]
    enough = attempt(page, f"credits.check('{ACTION}', {{ quantity: 3 }})")["made"]
    assert enough == {"allowed": True, "required": 3}
    short = attempt(page, f"credits.check('{ACTION}', {{ quantity: 4 }})")["made"]
    assert (short["allowed"], short["required"]) == (False, 4)
    assert short["topUpUrl"] == f"{shop.site}/top-up/"
    assert not spends(shop)


def test_out_of_credits_tells_the_way_out(page, shop):
    refused = attempt(page, f"credits.spend('{ACTION}', {{ quantity: 4 }})")
    assert (refused["kind"], refused["code"], refused["status"]) == (
        "OutOfCredits",
        "out_of_credits",
        402,
    )
    assert refused["message"] == refused["detail"]
    assert refused["message"].startswith("You've used all your")
    assert refused["required"] == 4
    assert refused["nextRefill"]["credits"] == 3
    assert refused["nextRefill"]["at"].weekday() == 0
    assert refused["topUpUrl"] == f"{shop.site}/top-up/"


def test_what_comes_back_online_spends_once(page, shop):
    attempt(page, "credits.actions()")
    page.context.set_offline(True)
    start(page)
    page.wait_for_timeout(100)
    page.context.set_offline(False)
    assert outcome(page)["made"]["credits"] == 1
    assert spends(shop) == 1


def test_what_stays_offline_says_so_and_can_be_repeated_with_its_key(page, shop):
    attempt(page, "credits.actions()")
    page.context.set_offline(True)
    failed = attempt(page)
    assert (failed["kind"], failed["code"], failed["status"]) == ("Unreachable", "unreachable", 0)
    page.context.set_offline(False)
    again = f"credits.spend('{ACTION}', {{ idempotencyKey: '{failed['idempotencyKey']}' }})"
    assert attempt(page, again)["made"]["id"] == attempt(page, again)["made"]["id"]
    assert spends(shop) == 1


def test_failures_that_pass_are_repeated_with_the_same_key(page, shop):
    wire = Wire(page, [lose_answer, Route.abort, answer_html, answer_502], "**/api/v1/spends")
    assert attempt(page)["made"]["credits"] == 1
    assert spends(shop) == 1
    assert len(wire.keys) == 5
    assert len(set(wire.keys)) == 1


def test_a_500_is_repeated_and_an_answer_lost_after_the_commit_is_found(page, shop, monkeypatch):
    wire = Wire(page, path="**/api/v1/spends")
    spend, calls = ledger.spend, []

    def crash_after_commit(*args, **kwargs):
        calls.append(spend(*args, **kwargs))
        if len(calls) == 1:
            raise RuntimeError("The lights went out.")
        return calls[-1]

    monkeypatch.setattr(views.ledger, "spend", crash_after_commit)
    assert attempt(page)["made"]["credits"] == 1
    assert [call.replayed for call in calls] == [False, True]
    assert spends(shop) == 1
    assert len(set(wire.keys)) == 1


def test_a_500_that_stays_is_a_server_error_after_a_few_attempts(page, shop, monkeypatch):
    def crash(*args, **kwargs):
        raise RuntimeError("The lights are out.")

    monkeypatch.setattr(views.ledger, "spend", crash)
    wire = Wire(page, path="**/api/v1/spends")
    failed = attempt(page)
    assert (failed["kind"], failed["code"], failed["status"]) == (
        "ServerError",
        "server_error",
        500,
    )
    assert len(wire.keys) == 5
    assert failed["idempotencyKey"] == wire.keys[0]


def test_a_server_that_never_answers_is_given_up(page, shop):
    attempt(page, "credits.actions()")
    wire = Wire(page, [lambda route: None] * 9, "**/api/v1/spends")
    page.clock.install()
    start(page)
    for _ in range(40):
        page.clock.run_for(1_000)
    assert outcome(page)["kind"] == "Unreachable"
    assert 2 <= len(wire.keys) <= 5


def test_a_429_is_waited_for(page, shop, monkeypatch, settings):
    attempt(page, "credits.actions()")
    monkeypatch.setattr(throttling, "WINDOW_SECONDS", 2)
    settings.API_REQUESTS_PER_MINUTE = 1
    wire = Wire(page, path="**/api/v1/spends")
    first = attempt(page)
    second = attempt(page)
    assert first["made"]["id"] != second["made"]["id"]
    assert len(wire.keys) > len(set(wire.keys)) == 2


def test_a_429_for_too_long_is_told_at_once(page, shop, monkeypatch, settings):
    attempt(page, "credits.actions()")
    monkeypatch.setattr(throttling.ApiKeyThrottle, "wait", lambda throttle: 45.0)
    settings.API_REQUESTS_PER_MINUTE = 1
    wire = Wire(page, path="**/api/v1/spends")
    refused = attempt(page)
    assert (refused["kind"], refused["retryAfterSeconds"]) == ("RateLimited", 45)
    assert len(wire.keys) == 1
    assert not spends(shop)


def test_a_refusal_is_an_error_of_its_class_and_not_repeated(page, shop):
    for call, (kind, code, status, requests) in REFUSALS.items():
        wire = Wire(page, path=re.compile("/api/v1/"))
        refused = attempt(page, call)
        assert (refused["kind"], refused["code"], refused["status"]) == (kind, code, status)
        assert refused["message"] == refused["problem"]["detail"]
        assert len(wire.keys) == requests


def test_errors_name_the_wrong_fields(page):
    refused = attempt(page, "credits.spend('sparkle.make')")
    assert [error["field"] for error in refused["errors"]] == ["action"]


def test_a_token_that_stops_working_is_asked_for_once_more(page, shop):
    shop.broken_tokens = 1
    assert attempt(page)["made"]["credits"] == 1
    assert shop.token_requests == 2
    assert attempt(page)["made"]["credits"] == 1
    assert shop.token_requests == 2


def test_tokens_that_never_work_are_unauthorized(page, shop):
    shop.broken_tokens = 9
    refused = attempt(page)
    assert (refused["kind"], refused["status"]) == ("Unauthorized", 401)
    assert shop.token_requests == 2


def test_a_token_that_is_about_to_end_is_replaced_before_it_does(page, shop):
    shop.token_changes = {"expires_in_seconds": 20}
    attempt(page)
    wire = Wire(page)
    attempt(page)
    assert shop.token_requests == 2
    assert len(wire.keys) == 1


def test_a_token_that_has_spent_its_limit_makes_room_for_the_next(page, shop):
    shop.token_changes = {"spend_limit": 1}
    assert "made" in attempt(page)
    assert attempt(page)["kind"] == "SpendLimitReached"
    assert "made" in attempt(page)
    assert shop.token_requests == 2


def test_a_page_that_gets_no_token_says_so(page):
    page.evaluate("credits = new Credits({ token: () => { throw new Error('signed out'); } })")
    refused = attempt(page)
    assert (refused["kind"], refused["code"]) == ("Unauthorized", "no_token")
    page.evaluate("credits = new Credits({ token: () => null })")
    assert attempt(page)["kind"] == "Unauthorized"


def test_many_spends_at_once_share_one_token(page, shop):
    ledger.grant(shop.organization, 20, kind=Grant.Kind.STAFF, now=timezone.now())
    made = page.evaluate(f"Promise.all(Array.from({{ length: 20 }}, () => {SPEND}))")
    assert len({spend["id"] for spend in made}) == spends(shop) == 20
    assert shop.token_requests == 1


def test_a_call_ends_with_its_signal(page, shop):
    Wire(page, [Route.abort] * 9, "**/api/v1/spends")
    page.evaluate("window.stop = new AbortController()")
    start(page, f"credits.spend('{ACTION}', {{ signal: stop.signal }})")
    page.evaluate("stop.abort()")
    assert outcome(page)["kind"] == "AbortError"
    start(page, f"credits.spend('{ACTION}', {{ signal: AbortSignal.abort('enough') }})")
    assert page.evaluate("outcome.then(({ message }) => message)") is None
    assert not spends(shop)


def test_a_secret_key_in_a_page_is_refused_with_the_reason(page, shop):
    page.evaluate("(token) => { credits = new Credits({ token }); }", shop.secret)
    refused = attempt(page)
    assert (refused["kind"], refused["status"]) == ("Forbidden", 403)
    assert "server" in refused["message"]
    assert not spends(shop)


def test_a_page_that_no_key_allows_reads_nothing(page, shop):
    shop.organization.api_keys.update(allowed_origins=["https://other.example"])
    shop.token_changes = {"origins": ["https://other.example"]}
    assert attempt(page)["kind"] == "Unreachable"
    assert not spends(shop)


def test_pages_without_random_uuids_make_keys_too(page, shop):
    page.evaluate("Object.defineProperty(crypto, 'randomUUID', { value: undefined })")
    wire = Wire(page, path="**/api/v1/spends")
    assert "made" in attempt(page)
    assert "made" in attempt(page)
    assert len(set(wire.keys)) == 2


def test_a_sandboxed_frame_spends(page, shop):
    page.goto(f"{shop.url}/frame/allow-scripts")
    frame = page.frames[1]
    frame.wait_for_function("window.credits")
    assert frame.evaluate("origin") == "null"
    assert frame.evaluate(f"{SPEND}.then((made) => made.credits)") == 1
    assert spends(shop) == 1


def test_a_worker_spends(page, shop):
    """And importing the module where there is no document does not throw."""
    made = page.evaluate(
        """([module, token, action]) => new Promise((resolve, reject) => {
          const code = `import { Credits } from "${module}";
            const made = await new Credits({ token: "${token}" }).spend("${action}");
            postMessage(made.credits);`;
          const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
          const worker = new Worker(address, { type: "module" });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = reject;
        })""",
        [shop.site + MODULE, shop.token()["token"], ACTION],
    )
    assert made == spends(shop) == 1


def test_our_own_pages_spend_too(open_page, shop):
    _, secret = create_key(name="Own", organization=shop.organization)
    own = open_page()
    own.goto("/accounts/login/")
    made = own.evaluate(
        """async ([path, token, action]) => {
          const { Credits } = await import(path);
          return new Credits({ token }).spend(action);
        }""",
        [MODULE, secret, ACTION],
    )
    assert made["credits"] == 1
