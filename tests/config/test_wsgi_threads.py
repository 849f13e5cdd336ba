"""Django under an ASGI server: streamed answers, large bodies, and clients that go away."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config.wsgi_threads import WsgiThreads

BIG = 10_000_000


def scope(**fields: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/a b/ü",
        "raw_path": b"/a%20b/%C3%BC",
        "query_string": b"q=\xc3\xbc",
        "client": ("192.0.2.1", 4711),
        "server": ("127.0.0.1", 80),
        "headers": [(b"x-forwarded-for", b"1"), (b"x-forwarded-for", b"2")],
        **fields,
    }


def serve(
    application: Any, messages: list[dict[str, Any]], then: Any = None, **fields: Any
) -> list[dict[str, Any]]:
    """Have a request answered that comes in these parts; each part of the answer."""
    answer: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        answer.append(message)
        if then:
            then(message)

    asyncio.run(WsgiThreads(application, threads=1)(scope(**fields), receive, send))
    return answer


def sized(length: int) -> dict[str, Any]:
    return {"headers": [(b"content-length", b"%d" % length)]}


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def text(answer: list[dict[str, Any]]) -> bytes:
    return b"".join(message.get("body", b"") for message in answer)


def test_the_parts_of_a_request_have_their_names() -> None:
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        seen.update(environ)
        start("204 No Content", [])
        return []

    serve(application, [])
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/a b/ü"
    assert seen["QUERY_STRING"].encode("latin-1").decode() == "q=ü"
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("192.0.2.1", "https")
    assert seen["HTTP_X_FORWARDED_FOR"] == "1,2"


def test_an_answer_is_streamed_as_it_is_made() -> None:
    steps: list[object] = []

    def application(environ: object, start: Callable[..., Any]) -> Iterator[bytes]:
        start("200 OK", [("Content-Type", "text/csv")])
        for number in range(3):
            steps.append(number)
            yield b"%d\n" % number

    serve(application, [], then=lambda message: steps.append(message.get("body", "start")))
    assert steps == [0, "start", b"0\n", 1, b"1\n", 2, b"2\n", "start"]


def test_a_large_body_is_read_as_it_comes() -> None:
    def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [("Content-Length", "1")])
        lines = [environ["wsgi.input"].readline() for _ in range(2)]
        assert lines == [b"one\n", b"two\n"]
        assert len(environ["wsgi.input"].read()) == BIG
        return [b"!"]

    chunks = [part(b"one\ntw"), part(b"o\n"), *[part(b"x" * (BIG // 10))] * 9]
    answer = serve(application, [*chunks, part(b"x" * (BIG // 10), more=False)], **sized(BIG + 8))
    assert text(answer) == b"!"


@pytest.mark.parametrize(("length", "told"), [(10, [408]), (BIG, [])])
def test_part_of_a_body_is_never_taken_for_the_whole(length: int, told: list[int]) -> None:
    done: list[bytes] = []

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        done.append(environ["wsgi.input"].read())
        start("200 OK", [])
        return []

    answer = serve(application, [part(b"credits=1")], **sized(length))
    assert [message["status"] for message in answer if "status" in message] == told
    assert done == []


def test_an_address_may_be_whole_and_a_head_has_no_body() -> None:
    def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [("X-Path", environ["PATH_INFO"])])
        return [b"body"]

    answer = serve(application, [], method="HEAD", raw_path=b"http://host:80/health/")
    assert answer[0]["headers"] == [(b"X-Path", b"/health/")]
    assert text(answer) == b""


def test_who_left_before_a_thread_was_free_is_not_served() -> None:
    served: list[str] = []
    is_free = threading.Event()

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        served.append(environ["REQUEST_METHOD"])
        is_free.wait()
        start("200 OK", [])
        return []

    async def leave() -> None:
        web = WsgiThreads(application, threads=1)

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: object) -> None:
            pass

        requests = [
            asyncio.create_task(web(scope(method=method), receive, send))  # type: ignore[arg-type]
            for method in ("GET", "PUT", "HEAD")
        ]
        await asyncio.sleep(0)
        requests[1].cancel()
        await asyncio.wait([requests[1]])
        is_free.set()
        await asyncio.wait(requests)

    asyncio.run(leave())
    assert served == ["GET", "HEAD"]


def test_who_leaves_a_download_ends_it() -> None:
    closed = threading.Event()

    def application(environ: object, start: Callable[..., Any]) -> Iterator[bytes]:
        start("200 OK", [])
        try:
            while True:
                yield b"more\n"
        finally:
            closed.set()

    async def leave() -> None:
        begun = asyncio.Event()

        async def send(message: object) -> None:
            begun.set()

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        request = asyncio.create_task(
            WsgiThreads(application, threads=1)(scope(), receive, send)  # type: ignore[arg-type]
        )
        await begun.wait()
        request.cancel()
        await asyncio.wait([request])
        await asyncio.to_thread(closed.wait)

    asyncio.run(leave())
    assert closed.is_set()


def test_an_error_of_the_application_is_the_servers_to_tell() -> None:
    def application(environ: object, start: Callable[..., Any]) -> list[bytes]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        serve(application, [])
