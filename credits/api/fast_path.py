"""The fast path: what nearly every request asks, answered in the event loop, without a thread.

    a request ─► is it plain? ─► group commit ─► done, or out of credits
                     │ no            │ anything else
                     └───────────────┴──► the view

Plain is a secret key, a small body of JSON, and nothing out of the ordinary. The fast path says yes
and, when credits have run out, no. Whatever else there is to say, the view says, which is handed
the request unanswered: a refusal changes nothing, so it comes to the same. The views stay the
contract; this module has what all plain requests share, and those next to it have the calls:
fast_spends.py and fast_batches.py.
"""

import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.db import Error as DatabaseError
from django.http.request import split_domain_port, validate_host

from config import observability
from config.wsgi_threads import Message, Receive, Scope, Send, give_up, read_whole, replay
from credits import key_secrets
from credits.api import problems
from credits.api.bookkeeping import Bookkeeping
from credits.api.rendering import render
from credits.ledger.group_commit import Made, Refused, Unavailable

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
    """What is answered; `asker` tells whose key asked, if that is known to work."""

    status: int
    body: bytes
    header: tuple[bytes, bytes] | None = None
    asker: Made | None = None


class FastCall(Protocol):
    """A call of the API that the fast path can answer; larger bodies are the view's."""

    path: str
    max_body_bytes: int

    async def answer(self, secret: str, headers: Headers, body: bytes) -> Answer | None:
        """The answer to who has the key with this SHA-256, in hex; None where the view has to say.

        Raises Refused or DatabaseError where the view has to, with nothing done, or Unavailable.
        """

    async def close(self) -> None:
        """Finish what is under way."""


class FastPath:
    """The ASGI application in front of the one that answers everything `otherwise`."""

    def __init__(self, calls: Iterable[FastCall], *, otherwise: Application) -> None:
        self._calls = {call.path: call for call in calls}
        self._otherwise = otherwise
        self._books = Bookkeeping()
        self._headers_around: dict[tuple[str, bool], Pairs] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        call = self._calls.get(scope["path"])
        headers = call and _plain_headers(scope, call.max_body_bytes)
        if not call or not headers:
            await self._otherwise(scope, receive, send)
            return
        body = await read_whole(receive)
        if body is None:
            await give_up(send)
            return
        form = call.path, _is_secure(scope, headers)
        around = self._headers_around.get(form)
        if around is None:
            await self._otherwise(scope, replay(body, receive), self._learning(send, form))
            return
        request_id, _ = observability.begin(headers.get(b"x-request-id", b"").decode("latin-1"))
        answer = await self._answer(call, headers, body)
        if answer is None:
            await self._otherwise(scope, replay(body, receive), send)
            return
        observability.log("POST", call.path, answer.status, time.perf_counter() - started)
        await _send(send, answer, request_id, around)

    async def close(self) -> None:
        """Commit and write down what is under way, then let go of all connections."""
        for call in self._calls.values():
            await call.close()
        await self._books.close()

    async def _answer(self, call: FastCall, headers: Headers, body: bytes) -> Answer | None:
        """The answer of a call; None where the view has to say."""
        key = headers[b"authorization"].removeprefix(b"Bearer ").decode("latin-1")
        if not key_secrets.is_whole(key):
            return None
        secret = key_secrets.sha256(key).hex()
        if self._books.is_over_limit(secret):
            return None
        try:
            answer = await call.answer(secret, headers, body)
        except (Refused, DatabaseError):
            return None
        except Unavailable as error:
            return _problem("unavailable", retry_after_seconds=error.retry_after_seconds)
        except Exception:
            logger.exception("A request could not be answered")
            return _problem("server_error")
        if answer and answer.asker:
            self._books.record(secret, answer.asker)
        return answer

    def _learning(self, send: Send, form: tuple[str, bool]) -> Send:
        """A `send` that learns what Django puts around an answer, from the first ones."""

        async def learning_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 201, 402):
                self._headers_around[form] = [
                    (name, value) for name, value in message["headers"] if name.lower() not in _OWN
                ]
            await send(message)

        return learning_send


def _plain_headers(scope: Scope, max_body_bytes: int) -> Headers | None:
    """The headers that matter of a request that the fast path may take; None of another one."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    headers: Headers = {}
    for name, value in scope["headers"]:
        if name in _UNUSUAL or name in headers:
            return None
        if name in _READ:
            headers[name] = value
    return headers if _is_welcome(scope, headers, max_body_bytes) else None


def _is_welcome(scope: Scope, headers: Headers, max_body_bytes: int) -> bool:
    return (
        headers.get(b"content-type") in _JSON
        and headers.get(b"authorization", b"").startswith(b"Bearer ck_")
        and 0 < int(headers.get(b"content-length", 0)) <= max_body_bytes
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


def _problem(code: str, *, retry_after_seconds: int | None = None) -> Answer:
    document = problems.document(code, problems.PROBLEMS[code].meaning)
    retry = (b"Retry-After", b"%d" % retry_after_seconds) if retry_after_seconds else None
    return Answer(document["status"], render(document), retry)


async def _send(send: Send, answer: Answer, request_id: str, around: Pairs) -> None:
    is_problem = answer.status >= 400
    content_type = problems.CONTENT_TYPE.encode() if is_problem else b"application/json"
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
