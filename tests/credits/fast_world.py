"""Worlds that are alike, one for the fast path and one for Django alone, and what is asked."""

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.utils import timezone

from config.wsgi_threads import WsgiThreads
from credits import staff_keys
from credits.access import create_key, revoke_key
from credits.models import Action, Organization, Service, User
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

    def __init__(self, riches: int = 50) -> None:
        now = timezone.now()
        rich = self.rich = Organization.objects.create(name="Rich", weekly_credits=riches)
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
            "alt": key(service=alt.service)[1],
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
        self.organizations = {"rich": rich, "seen": seen, "poor": poor, "stopped": stopped}
        self.ids = {f"<{name}>": one.public_id for name, one in self.organizations.items()}


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


def asking_all(*items: object, who: str = "rich", key: str | None = None, **headers: str) -> Any:
    """A batch to try."""
    body = json.dumps({"spends": items}).encode()
    return asking(who, body, key, path="/api/v1/spends/batch", **headers)


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
