"""Errors of the API as problem documents (RFC 9457)."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    UnreadablePostError,
)
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from credits import ledger, wording
from credits.models import Organization

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error: its code in the API, its status, and what it means to a reader."""

    code: str
    status: int
    title: str
    meaning: str

    @property
    def slug(self) -> str:
        return self.code.replace("_", "-")


PROBLEMS = {
    problem.code: problem
    for problem in (
        Problem(
            "invalid_request",
            400,
            "Invalid request",
            "Something in the request is missing or wrong. `detail` and `errors` say what to "
            "change; nothing was spent.",
        ),
        Problem(
            "unauthorized",
            401,
            "Unauthorized",
            "The request has no API key or browser token that works: it is missing, mistyped, "
            "revoked or expired. Send `Authorization: Bearer <key>`.",
        ),
        Problem(
            "out_of_credits",
            402,
            "Out of credits",
            "The organization has fewer credits than the action costs; nothing was spent. Show "
            "`detail` and the `top_up_url`, keep everything else working, and try again with the "
            "same idempotency key after a top-up or at `next_refill`.",
        ),
        Problem(
            "forbidden",
            403,
            "Forbidden",
            "The key or token is good, but not for this: another organization, an action it may "
            "not spend, a suspended organization, a balance that is not shown, a secret key in a "
            "web page, a token from a page it was not made for, or a staff key where customers' "
            "keys belong.",
        ),
        Problem(
            "spend_limit_reached",
            403,
            "Spend limit reached",
            "The browser token would spend more than its limit; nothing was spent. Get a new token "
            "from your server, and repeat the request with the same idempotency key.",
        ),
        Problem("not_found", 404, "Not found", "There is nothing at this address for your key."),
        Problem(
            "method_not_allowed",
            405,
            "Method not allowed",
            "The address exists, but not for this method; the `Allow` header lists those it has.",
        ),
        Problem(
            "conflict",
            409,
            "Conflict",
            "The hold or spend is no longer in a state that allows this; `detail` says which.",
        ),
        Problem(
            "length_required",
            411,
            "Length required",
            "The body came without its length. Send `Content-Length` instead of "
            "`Transfer-Encoding: chunked`.",
        ),
        Problem(
            "payload_too_large",
            413,
            "Payload too large",
            "The body is larger than the megabyte that the API reads. Send it in smaller parts.",
        ),
        Problem(
            "unsupported_media_type",
            415,
            "Unsupported media type",
            "Send the body as JSON, with `Content-Type: application/json`.",
        ),
        Problem(
            "idempotency_conflict",
            422,
            "Idempotency conflict",
            "The idempotency key was used before for a different request. Use a new key for a new "
            "request, and the same key only to repeat one.",
        ),
        Problem(
            "rate_limited",
            429,
            "Too many requests",
            "Slow down, and try again after the seconds in `Retry-After`.",
        ),
        Problem(
            "server_error",
            500,
            "Server error",
            "Something went wrong on our side. Repeat the request with the same idempotency key: "
            "it is spent once at most.",
        ),
        Problem(
            "unavailable",
            503,
            "Temporarily unavailable",
            "The service cannot answer right now. Repeat the request with the same idempotency "
            "key after the seconds in `Retry-After`: it is spent once at most.",
        ),
    )
}
# Of two with one status, the first is the general one.
_BY_STATUS = {problem.status: problem for problem in reversed(PROBLEMS.values())}


class ApiProblem(exceptions.APIException):
    """A problem raised on purpose, by its code."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail, code)
        self.problem = PROBLEMS[code]


def document(code: str, detail: str, **members: object) -> dict[str, Any]:
    """A problem document: RFC 9457's members, our `code`, and whatever else helps."""
    problem = PROBLEMS[code]
    return {
        "type": f"{settings.BASE_URL}/problems/{problem.slug}/",
        "title": problem.title,
        "status": problem.status,
        "code": code,
        "detail": detail,
        **members,
    }


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's hook: the problem document for an exception, or None to let it be a 500."""
    body = describe(error)
    if body is None:
        return None
    response = Response(body, status=body["status"], content_type=CONTENT_TYPE)
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        response["WWW-Authenticate"] = "Bearer"
    if isinstance(error, exceptions.Throttled):
        response["Retry-After"] = str(_wait_seconds(error))
    if isinstance(error, OperationalError | InterfaceError):
        logger.exception("The database did not answer")
        response["Retry-After"] = "5"
    return response


def _wait_seconds(error: exceptions.Throttled) -> int:
    # DRF's stubs leave `wait` out.
    return max(1, round(getattr(error, "wait", None) or 1))


def describe(error: Exception) -> dict[str, Any] | None:
    """The problem document of a refusal by the ledger, DRF or the database; None if unknown."""
    match error:
        case ledger.LedgerError():
            return _describe_refusal(error)
        case exceptions.ValidationError():
            return _describe_invalid(error)
        case ApiProblem():
            return document(error.problem.code, str(error.detail))
        case Http404():
            return document("not_found", PROBLEMS["not_found"].meaning)
        case PermissionDenied():
            return document("forbidden", PROBLEMS["forbidden"].meaning)
        case OperationalError() | InterfaceError():
            return document("unavailable", PROBLEMS["unavailable"].meaning)
        case UnreadablePostError():
            return document("invalid_request", "The body ended early. Send all of it.")
        case exceptions.Throttled():
            return document("rate_limited", PROBLEMS["rate_limited"].meaning)
        case exceptions.APIException():
            return _describe_framework_error(error)
    return None


def _describe_framework_error(error: exceptions.APIException) -> dict[str, Any]:
    """What DRF refuses: in our own words, but where we raised it with words that fit better."""
    other = "invalid_request" if error.status_code < 500 else "server_error"
    problem = _BY_STATUS.get(error.status_code, PROBLEMS[other])
    ours = isinstance(error, exceptions.ParseError | exceptions.AuthenticationFailed)
    is_known = error.status_code in _BY_STATUS
    return document(problem.code, problem.meaning if is_known and not ours else str(error.detail))


def _describe_refusal(error: ledger.LedgerError) -> dict[str, Any]:
    match error:
        case ledger.OutOfCredits():
            return _describe_out_of_credits(error)
        case ledger.IdempotencyConflict():
            return document("idempotency_conflict", PROBLEMS["idempotency_conflict"].meaning)
        case ledger.OrganizationSuspended():
            return document(
                "forbidden",
                "This organization is suspended and cannot spend credits. Ask us to lift it.",
            )
        case ledger.TokenLimitReached():
            return document("spend_limit_reached", PROBLEMS["spend_limit_reached"].meaning)
        case ledger.UnknownAction():
            message = f"There is no action {error.code!r}. GET /api/v1/actions lists them."
            return invalid({"action": message})
        case ledger.HoldClosed():
            return document("conflict", f"This hold is {error.status}; it cannot be changed.")
        case ledger.TooManyCredits():
            return invalid({"credits": _say_what_is_left(error.left)})
    raise error


def _say_what_is_left(credits: int) -> str:
    if credits:
        return f"Ask for at most {credits}, which is what is left to take or give back."
    return "Nothing is left to give back. Capture or release a hold that is still open instead."


def _describe_out_of_credits(error: ledger.OutOfCredits) -> dict[str, Any]:
    organization = error.organization
    shown = {"available": error.available} if organization.show_balance else {}
    return document("out_of_credits", **(way_out(error) | shown))


def way_out(error: ledger.OutOfCredits) -> dict[str, Any]:
    """What to tell the user who is out of credits: the sentence, the next refill, the link."""
    organization = error.organization
    are_some_left = organization.show_balance and error.available > 0
    detail = wording.out_of_credits(
        organization.weekly_credits,
        now=error.at,
        too_few=(error.required, error.available) if are_some_left else None,
    )
    return {
        "detail": detail,
        "required": error.required,
        "next_refill": next_refill(organization, error.at),
        "top_up_url": f"{settings.BASE_URL}/top-up/",
    }


def next_refill(organization: Organization, now: datetime) -> dict[str, Any] | None:
    """When the organization's next free credits come, and how many; None when it gets none."""
    refill = wording.next_refill(organization.weekly_credits, now=now)
    if refill is None:
        return None
    return {"at": f"{refill.at:%Y-%m-%dT%H:%M:%SZ}", "credits": refill.credits}


def invalid(fields: Mapping[str, str]) -> dict[str, Any]:
    """An `invalid_request` that names each wrong field and what to do about it."""
    errors = [{"field": field, "message": message} for field, message in fields.items()]
    detail = " ".join(f"{error['field']}: {error['message']}" for error in errors)
    return document("invalid_request", detail, errors=errors)


def _describe_invalid(error: exceptions.ValidationError) -> dict[str, Any]:
    return invalid(dict(_flatten(error.detail)))


def _flatten(detail: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(detail, Mapping):
        parts = [(f"{path}.{key}" if path else str(key), value) for key, value in detail.items()]
    elif any(isinstance(value, Mapping) for value in detail):
        parts = [(f"{path}[{index}]", value) for index, value in enumerate(detail) if value]
    else:
        field = path.removesuffix("non_field_errors").removesuffix(".")
        return [(field or "body", " ".join(map(str, detail)))]
    return [line for name, value in parts for line in _flatten(value, name)]


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: a problem document under /api/, a page elsewhere."""
    if request.path.startswith("/api/"):
        return _json("not_found")
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: a problem document under /api/, a page elsewhere."""
    if request.path.startswith("/api/"):
        is_too_big = isinstance(exception, RequestDataTooBig)
        return _json("payload_too_large" if is_too_big else "invalid_request")
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: a problem document under /api/, a page elsewhere."""
    return (
        _json("server_error")
        if request.path.startswith("/api/")
        else defaults.server_error(request)
    )


def _json(code: str) -> JsonResponse:
    body = document(code, PROBLEMS[code].meaning)
    return JsonResponse(body, status=body["status"], content_type=CONTENT_TYPE)
