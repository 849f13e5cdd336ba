"""The fast path of `POST /api/v1/spends`: what nearly every request asks, without a thread.

    a request ─► is it plain? ─► group commit ─► 201, or 402
                     │ no            │ anything else
                     └───────────────┴──► the view

Plain is a secret key, a small body of JSON, and nothing out of the ordinary. The fast path says yes
and, when credits have run out, no. Whatever else there is to say, the view says, which is handed
the request unanswered: a refusal changes nothing, so it comes to the same. The view stays the
contract; this module only has to know what it knows.
"""

import functools
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from config import observability
from config.wsgi_threads import Message, Receive, Scope, Send, give_up, read_whole, replay
from credits import key_secrets
from credits.api import plain, problems
from credits.api.bookkeeping import Bookkeeping
from credits.api.denials import Denials
from credits.api.rendering import render
from credits.api.serializers import IDEMPOTENCY_KEY
from credits.ledger.group_commit import GroupCommit, Made, Refused, Unavailable

PATH = "/api/v1/spends"
MAX_BODY_BYTES = 4_096

# Headers that the answer depends on; each may be there once.
_READ = frozenset(
    (
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"x-forwarded-proto",
        b"x-request-id",
    )
)
# Those of pages and people, and of bodies that are not simply there.
_UNUSUAL = frozenset(
    (
        b"content-encoding",
        b"cookie",
        b"expect",
        b"origin",
        b"sec-fetch-site",
        b"transfer-encoding",
        b"upgrade",
        # With several languages it chooses the words.
        *([b"accept-language"] if len(settings.LANGUAGES) > 1 else []),
    )
)
_JSON = (b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8")
# What an answer has of its own, unlike what Django puts around each.
_OWN = (b"content-length", b"content-type", b"idempotent-replayed", b"x-request-id")

logger = logging.getLogger(__name__)

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[bytes, bytes]
Pairs = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    header: tuple[bytes, bytes] | None = None


class FastSpends:
    """The ASGI application in front of the one that answers everything `otherwise`."""

    def __init__(self, *, otherwise: Application) -> None:
        self._otherwise = otherwise
        self._commits = GroupCommit(clock=timezone.now)
        self._books = Bookkeeping()
        self._denials = Denials()
        self._headers_around: dict[bool, Pairs] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = _plain_headers(scope)
        if headers is None:
            await self._otherwise(scope, receive, send)
            return
        body = await read_whole(receive)
        if body is None:
            await give_up(send)
            return
        is_secure = _is_secure(scope, headers)
        around = self._headers_around.get(is_secure)
        if around is None:
            await self._otherwise(scope, replay(body, receive), self._learning(send, is_secure))
            return
        spend = _plain_spend(headers, body)
        request_id, _ = observability.begin(headers.get(b"x-request-id", b"").decode("latin-1"))
        answer = await self._answer(spend) if spend else None
        if answer is None:
            await self._otherwise(scope, replay(body, receive), send)
            return
        observability.log("POST", PATH, answer.status, time.perf_counter() - started)
        await _send(send, answer, request_id, around)

    async def close(self) -> None:
        """Commit and write down what is under way, then let go of all connections."""
        await self._commits.close()
        await self._books.close()

    async def _answer(self, spend: dict[str, Any]) -> Answer | None:
        """The answer to a spend; None where the view has to say."""
        if self._books.is_over_limit(spend["secret"]):
            return None
        try:
            made = await self._commits.spend(spend)
            answer = await self._describe(spend, made)
        except (Refused, DatabaseError):
            return None
        except Unavailable as error:
            return _problem("unavailable", retry_after_seconds=error.retry_after_seconds)
        except Exception:
            logger.exception("A spend could not be answered")
            return _problem("server_error")
        if answer:
            self._books.record(spend["secret"], made)
        return answer

    async def _describe(self, spend: dict[str, Any], made: Made) -> Answer | None:
        match made.outcome:
            case "created":
                return Answer(201, _spend_body(spend, made))
            case "replayed":
                return Answer(201, _spend_body(spend, made), (b"Idempotent-Replayed", b"true"))
            case "out_of_credits":
                return Answer(402, await self._denials.body(made))
        return None

    def _learning(self, send: Send, is_secure: bool) -> Send:
        """A `send` that learns what Django puts around an answer, from the first ones."""

        async def learning_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (201, 402):
                self._headers_around[is_secure] = [
                    (name, value) for name, value in message["headers"] if name.lower() not in _OWN
                ]
            await send(message)

        return learning_send


def _plain_headers(scope: Scope) -> Headers | None:
    """The headers that matter of a request that the fast path may take; None of another one."""
    if scope["method"] != "POST" or scope["path"] != PATH or scope["query_string"]:
        return None
    headers: Headers = {}
    for name, value in scope["headers"]:
        if name in _UNUSUAL or name in headers:
            return None
        if name in _READ:
            headers[name] = value
    return headers if _is_welcome(scope, headers) else None


def _is_welcome(scope: Scope, headers: Headers) -> bool:
    return (
        headers.get(b"content-type") in _JSON
        and headers.get(b"authorization", b"").startswith(b"Bearer ck_")
        and 0 < int(headers.get(b"content-length", 0)) <= MAX_BODY_BYTES
        and _is_allowed_host(headers.get(b"host", b""), tuple(settings.ALLOWED_HOSTS))
        and (_is_secure(scope, headers) or not settings.SECURE_SSL_REDIRECT)
    )


@functools.lru_cache(maxsize=64)
def _is_allowed_host(host: bytes, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return validate_host(domain, allowed)


def _is_secure(scope: Scope, headers: Headers) -> bool:
    """As HttpRequest.is_secure has it, behind a proxy too."""
    if b"x-forwarded-proto" in headers and settings.SECURE_PROXY_SSL_HEADER:
        return headers[b"x-forwarded-proto"].split(b",")[0].strip() == b"https"
    return bool(scope["scheme"] == "https")


def _plain_spend(headers: Headers, body: bytes) -> dict[str, Any] | None:
    """What `GroupCommit.spend` takes; None where the request is not plain after all."""
    secret = headers[b"authorization"].removeprefix(b"Bearer ").decode("latin-1")
    key = headers[b"idempotency-key"].decode("latin-1") if b"idempotency-key" in headers else None
    if not key_secrets.is_whole(secret) or (key is not None and not IDEMPOTENCY_KEY.match(key)):
        return None
    try:
        asked = plain.order(json.loads(body.decode()))
    except (ValueError, RecursionError):
        return None
    if asked is None:
        return None
    return {
        "secret": key_secrets.sha256(secret).hex(),
        "organization": asked.organization,
        "action": asked.action,
        "quantity": asked.quantity,
        "reference": asked.reference,
        "key": key,
    }


def _spend_body(spend: dict[str, Any], made: Made) -> bytes:
    body = plain.spend_body(
        plain.SpendFields(spend["action"], spend["quantity"], reference=spend["reference"]),
        id=made.spend,
        organization=made.organization,
        credits=made.total,
        drawn=[{name: part[name] for name in ("grant", "kind", "credits")} for part in made.drawn],
        created_at=made.at,
        balance=made.balance if made.shows_balance else None,
    )
    return render(body)


def _problem(code: str, *, retry_after_seconds: int | None = None) -> Answer:
    document = problems.document(code, problems.PROBLEMS[code].meaning)
    retry = (b"Retry-After", b"%d" % retry_after_seconds) if retry_after_seconds else None
    return Answer(document["status"], render(document), retry)


async def _send(send: Send, answer: Answer, request_id: str, around: Pairs) -> None:
    content_type = b"application/json" if answer.status == 201 else problems.CONTENT_TYPE.encode()
    headers = [
        (b"Content-Type", content_type),
        (b"Content-Length", b"%d" % len(answer.body)),
        (b"X-Request-ID", request_id.encode()),
        *around,
    ]
    if answer.header:
        headers.append(answer.header)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
