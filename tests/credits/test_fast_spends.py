"""The fast path of POST /api/v1/spends answers as the view does, whatever is asked."""

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.utils import timezone

from config.wsgi_threads import WsgiThreads
from credits import staff_keys
from credits.access import create_key, revoke_key
from credits.api.denials import Denials
from credits.api.fast_path import FastPath
from credits.api.fast_spends import FastSpends
from credits.models import Action, Organization, Service, Spend, User
from tests.asgi import Reply, ask

ALT, BACKGROUND = "alt-text.generate", "background.remove"
PLAIN = {"Content-Type": "application/json", "Host": "127.0.0.1"}


class Django:
    """What answers everything that the fast path does not; it counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._application = WsgiThreads(get_wsgi_application(), threads=4)

    async def __call__(self, *arguments: Any) -> None:
        self.asked += 1
        await self._application(*arguments)


class World:
    """Organizations and keys of every sort; two worlds are alike but for their ids."""

    def __init__(self) -> None:
        now = timezone.now()
        rich = self.rich = Organization.objects.create(name="Rich", weekly_credits=50)
        seen = Organization.objects.create(name="Seen", weekly_credits=2, show_balance=True)
        poor = Organization.objects.create(name="Poor", weekly_credits=0)
        stopped = Organization.objects.create(name="Stopped", suspended_at=now)
        remover = Service.objects.get(name="Background removal")
        alt = Action.objects.get(code=ALT)
        key = lambda **fields: create_key(name="k", **fields)  # noqa: E731
        revoked, revoked_secret = key(organization=rich)
        revoke_key(revoked, now=now)
        staff = User.objects.create_user(f"{rich.public_id}@credits.test", is_staff=True)
        self.secrets = {
            "rich": key(organization=rich)[1],
            "seen": key(organization=seen)[1],
            "poor": key(organization=poor)[1],
            "stopped": key(organization=stopped)[1],
            "service": key(service=remover)[1],
            "restricted": key(organization=rich, allowed_actions=[alt])[1],
            "expired": key(organization=rich, expires_at=now - timedelta(seconds=1))[1],
            "revoked": revoked_secret,
            "mistyped": key(organization=rich)[1][:-1] + "?",
            "unknown": "ck_org_" + "a" * 32 + "b2a5e5e3",
            "staff": staff_keys.create_key(
                staff, name="s", expires_at=now + timedelta(days=1), now=now
            )[1],
        }
        self.ids = {"<rich>": rich.public_id, "<poor>": poor.public_id}


def order(**fields: object) -> bytes:
    return json.dumps({"action": ALT, **fields}).encode()


def asking(
    who: str = "rich", body: bytes | None = None, key: str | None = None, **headers: str
) -> tuple[str, bytes, list[tuple[str, str]], dict[str, str]]:
    """A request to try: whose key, the body, and headers, by names with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    line = {name: named.pop(name) for name in ("method", "path", "query") if name in named}
    given = {**PLAIN, **named, **({} if key is None else {"Idempotency-Key": key})}
    return who, order() if body is None else body, list(given.items()), line


# What the fast path answers by itself, in this order, since keys are repeated.
FAST = [
    asking(),
    asking(key="one"),
    asking(key="one"),
    asking(body=order(quantity=3, reference="Übung \u2028 \U0001f600 </script>"), key="two"),
    asking(body=order(organization="<rich>")),
    asking(body=order(quantity=1_000_000)),
    asking(body=b' {"action": "alt-text.generate", "quantity": 2, "quantity": 1} '),
    asking(X_Request_ID="order-4711"),
    asking(X_Request_ID="not sane"),
    asking(Accept_Language="de", User_Agent="node"),
    asking(Content_Type="application/json; charset=utf-8"),
    asking("restricted"),
    asking("service", order(action=BACKGROUND, organization="<poor>")),
    asking("service", order(action=BACKGROUND, organization="<rich>")),
    asking("poor"),
    asking("poor", key="one"),
    asking("seen", order(quantity=3)),
    asking("seen"),
    asking("seen"),
    asking("seen"),
    asking("seen", order(reference="x" * 255)),
]
# What is the view's to answer.
OTHER = [
    *(asking(who) for who in ("stopped", "expired", "revoked", "mistyped", "unknown", "staff")),
    asking(body=order(quantity=2), key="one"),
    asking(body=order(organization="<poor>")),
    asking("service", order(action=BACKGROUND)),
    asking("service", order(action=BACKGROUND, organization="org_0000000000000000")),
    asking("service", order(organization="<rich>")),
    asking("restricted", order(action=BACKGROUND)),
    asking(body=order(action="nothing.such")),
    asking(body=order(action=f" {ALT} ")),
    *(asking(body=order(quantity=n)) for n in (0, -1, 1_000_001, True, "1", 1.5, None, 10**30)),
    asking(body=order(colour="red")),
    asking(body=order(reference="\0")),
    asking(body=order(reference="\ud800")),
    asking(body=order(reference="x" * 256)),
    *(asking(body=body) for body in (b"", b"{", b"[]", b"null", b"\xff", b"[" * 4000, b"1e999")),
    asking(body=b'{"action": "alt-text.generate", "quantity": NaN}'),
    asking(body=b"\xef\xbb\xbf" + order()),
    asking(body=order(reference="x" * 5_000)),
    asking(body=b" " * 1_000_001),
    *(asking(key=key) for key in ("", "ü", "x" * 256)),
    asking(Content_Type="text/plain"),
    asking(Content_Type=""),
    asking(Host="elsewhere.example"),
    asking(Host=""),
    asking(Origin="https://shop.example"),
    asking(Sec_Fetch_Site="cross-site"),
    asking(Sec_Fetch_Site="same-origin"),
    asking(Cookie="sessionid=abc"),
    asking(Transfer_Encoding="chunked"),
    asking(Content_Encoding="gzip"),
    *(asking(method=method) for method in ("GET", "HEAD", "OPTIONS", "PUT")),
    asking(path="/api/v1/spends/"),
    asking(path="/api/v1/spend"),
    asking(query="a=b"),
]


def send(application: Any, world: World, request: Any) -> Reply:
    who, body, headers, line = request
    for name, public_id in world.ids.items():
        body = body.replace(name.encode(), public_id.encode())
    authorization = ("Authorization", f"Bearer {world.secrets[who]}")
    return asyncio.get_event_loop().run_until_complete(
        ask(application, body, authorization, *headers, **line)
    )


def told(reply: Reply) -> tuple[object, ...]:
    """An answer without what is anew each time."""
    text = re.sub(r"[0-9a-f]{8}-[-0-9a-f]{27}", "<id>", reply.body.decode())
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<at>", text)
    text = re.sub(r"org_[0-9a-z]{16}", "<organization>", text)
    headers = {**reply.headers}
    if re.fullmatch(r"[0-9a-f]{32}", headers["X-Request-Id"]):
        headers["X-Request-Id"] = "<new>"
    return reply.status, headers, text


@pytest.fixture
def loop() -> Any:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def django(committed_db: None, loop: Any) -> Django:
    cache.clear()
    return Django()


@pytest.fixture
def fast(django: Django, loop: Any) -> Any:
    """The program, which has learned from its first answer what is around each."""
    application = FastPath([FastSpends(Denials())], otherwise=django)
    send(application, World(), asking())
    django.asked = 0
    yield application
    loop.run_until_complete(application.close())


def test_every_request_is_answered_as_django_alone_would(fast: Any, django: Django) -> None:
    ours, theirs = World(), World()
    for request in (*FAST, *OTHER):
        before = django.asked
        reply = send(fast, ours, request)
        assert django.asked - before == (request in OTHER), request
        assert told(reply) == told(send(django, theirs, request)), request
        if request in FAST:
            assert reply.status in (201, 402)
    assert Spend.objects.filter(organization=ours.rich).count() > 10
