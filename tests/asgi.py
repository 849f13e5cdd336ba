"""Asking an ASGI application in this process, without a server."""

import json
from typing import Any, NamedTuple


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    application: Any,
    body: bytes,
    *headers: tuple[str, str],
    method: str = "POST",
    path: str = "/api/v1/spends",
    query: str = "",
) -> Reply:
    """Send one request, and return the whole answer."""
    sent = [{"type": "http.request", "body": body, "more_body": False}]
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return sent.pop() if sent else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in (("content-length", str(len(body))), *headers)
        ],
    }
    await application(scope, receive, send)
    start, *rest = answers
    return Reply(
        start["status"],
        {name.decode().title(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in rest),
    )
