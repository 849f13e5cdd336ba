"""Request ids and log lines. Log lines name routes, not paths: a path can hold a secret."""

import logging
import re
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar, Token

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
META_KEY = "HTTP_X_REQUEST_ID"
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

logger = logging.getLogger("credits.requests")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


class RequestIdMiddleware:
    """Gives each request an id, the caller's `X-Request-ID` where that is sane, and a log line.

    The response carries the id back, and each log line written meanwhile has it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id, token = begin(request.META.get(META_KEY, ""))
        request.META[META_KEY] = request_id
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            seconds = time.perf_counter() - started
            log(request.method, _route(request), response.status_code, seconds)
        finally:
            _request_id.reset(token)
        response[HEADER] = request_id
        return response


def begin(given: str) -> tuple[str, Token[str]]:
    """The id of a request, whose caller has `given` one; each log line from now on has it."""
    request_id = given if SANE_REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
    return request_id, _request_id.set(request_id)


def log(method: str | None, route: str, status: int, seconds: float) -> None:
    """Write the one line of a request."""
    facts = {
        "method": method,
        "route": route,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
    }
    logger.info("%(method)s %(route)s %(status)s in %(milliseconds)s ms", facts, extra=facts)


def _route(request: HttpRequest) -> str:
    return "/" + request.resolver_match.route if request.resolver_match else "(no route)"


class RequestFilter(logging.Filter):
    """Adds the request id to each record, and takes paths out of the lines that Django writes."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _request_id.get()
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest):
            # Some of Django's lines come when our middleware is done.
            record.request_id = request.META.get(META_KEY, "")
            _take_path_out(record, request)
        return True


def _take_path_out(record: logging.LogRecord, request: HttpRequest) -> None:
    path = request.path.encode("unicode_escape").decode("ascii")  # as Django logs it
    if isinstance(record.args, tuple):
        record.args = tuple(_route(request) if part == path else part for part in record.args)
