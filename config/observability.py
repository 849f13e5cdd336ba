"""Request ids and log lines."""

import re
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from logging import LogRecord

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

_request_id: ContextVar[str] = ContextVar("request_id", default="")


class RequestIdMiddleware:
    """Gives each request an id: the caller's where it is sane (`X-Request-ID`), or a new one.

    The response carries it back and every log line of the request has it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request_id = given if SANE_REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        token = _request_id.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            _request_id.reset(token)
        response[HEADER] = request_id
        return response


def add_request_id(record: LogRecord) -> bool:
    """A logging filter that lets everything pass and adds `request_id` to it."""
    record.request_id = _request_id.get()
    return True
