"""A WSGI application under an ASGI server: each request in a thread of a pool.

As under a WSGI server, answers are streamed at the client's pace and large bodies are read piece by
piece. What only a WSGI server could not do: a small body is awaited before a thread is taken, and a
small answer is sent after the thread is free again, so that slow clients keep no threads busy.

https://peps.python.org/pep-3333/ and https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SMALL_BYTES = 65_536
# A client that neither sends nor reads for this long loses its thread.
CLIENT_SECONDS = 60


class ClientGone(OSError):
    """The client went away, or kept its thread waiting, before its request or answer was whole."""


class WsgiThreads:
    """The ASGI application that runs a WSGI one in at most `threads` threads."""

    def __init__(self, application: Callable[..., Iterable[bytes]], threads: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        if 0 < content_length(scope) <= SMALL_BYTES:
            body = await read_whole(receive)
            if body is None:
                await give_up(send)
                return
            receive = replay(body, receive)
        exchange = _Exchange(scope, receive, send, loop)
        job = loop.run_in_executor(self._pool, exchange.run, self._application)
        try:
            rest = await asyncio.shield(job)
        except asyncio.CancelledError:
            exchange.is_abandoned = True
            raise
        for message in rest:
            await send(message)


def content_length(scope: Scope) -> int:
    """The bytes of a request's body; 0 where it doesn't tell."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0


async def read_whole(receive: Receive) -> bytes | None:
    """The body of a request, or None when the client went away first."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def give_up(send: Send) -> None:
    """Tell a client that stopped within its request, if it still listens."""
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 408, "headers": headers})
    await send({"type": "http.response.body"})


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that first tells the body once more."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_again() -> Message:
        message = next(messages, None)
        return message if message is not None else await receive()

    return receive_again


class _Exchange:
    """One request and its answer, in a thread."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.is_abandoned = False
        self._scope, self._send, self._loop = scope, send, loop
        self._body = io.BufferedReader(_Body(receive, self._wait_for))
        self._pending: list[Message] = []
        self._is_whole = False

    def run(self, application: Callable[..., Iterable[bytes]]) -> list[Message]:
        """Have the request answered; returns the messages that are still to be sent."""
        if self.is_abandoned:
            return []
        try:
            self._answer(application(environ(self._scope, self._body), self._start))
        except ClientGone:
            return []
        return [*self._pending, {"type": "http.response.body"}]

    def _answer(self, chunks: Iterable[bytes]) -> None:
        try:
            for chunk in () if self._scope["method"] == "HEAD" else chunks:
                self._pending.append(
                    {"type": "http.response.body", "body": chunk, "more_body": True}
                )
                if not self._is_whole or len(chunk) > SMALL_BYTES:
                    self._flush()
        finally:
            if close := getattr(chunks, "close", None):
                close()

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], None]:
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._pending = [
            {"type": "http.response.start", "status": int(status[:3]), "headers": encoded}
        ]
        lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
        self._is_whole = bool(lengths) and lengths[0] <= SMALL_BYTES
        return self._write

    def _write(self, chunk: bytes) -> None:
        self._pending.append({"type": "http.response.body", "body": chunk, "more_body": True})
        self._flush()

    def _flush(self) -> None:
        messages, self._pending = self._pending, []
        self._wait_for(self._send_all(messages))

    async def _send_all(self, messages: list[Message]) -> None:
        for message in messages:
            await self._send(message)

    def _wait_for(self, coroutine: Any) -> Any:
        """What a coroutine returns that runs in the event loop meanwhile."""
        if self.is_abandoned:
            coroutine.close()
            raise ClientGone
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(CLIENT_SECONDS)
        except TimeoutError:
            future.cancel()
            raise ClientGone from None


class _Body(io.RawIOBase):
    """The body of a request, read as the client sends it."""

    def __init__(self, receive: Receive, wait_for: Callable[[Any], Any]) -> None:
        self._receive, self._wait_for = receive, wait_for
        self._rest = b""
        self._has_more = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and self._has_more:
            message = self._wait_for(self._receive())
            # Part of a form must not be taken for the whole.
            if message["type"] != "http.request":
                raise ClientGone
            self._rest = message.get("body", b"")
            self._has_more = message.get("more_body", False)
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def environ(scope: Scope, body: Any) -> dict[str, Any]:
    """What WSGI calls the parts of a request; repeated headers are joined by commas."""
    host, port = (*(scope.get("server") or ("localhost", 0)), 0)[:2]
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": unquote_to_bytes(_path(scope["raw_path"])).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": scope["client"][0] if scope.get("client") else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = _variable(raw_name), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _path(target: bytes) -> bytes:
    """The path, also of a whole address (https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2)."""
    if target.startswith(b"/"):
        return target
    return b"/" + target.partition(b"://")[2].partition(b"/")[2]


def _variable(header: bytes) -> str:
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
