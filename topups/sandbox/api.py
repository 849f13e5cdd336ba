"""The part of Stripe's HTTP API that we rely on (https://docs.stripe.com/api)."""

import hmac
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from topups.sandbox import params, sessions
from topups.sandbox.models import IdempotencyKey, Session, new_id

KEY_LIFETIME = timedelta(hours=24)
Json = dict[str, Any]


class ApiError(Exception):
    """An error as Stripe answers it (https://docs.stripe.com/api/errors)."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        found = {"type": kind, "message": message, "code": code, "param": param}
        self.body = {"error": {name: value for name, value in found.items() if value}}


def endpoint(method: str) -> Callable[..., Callable[..., HttpResponse]]:
    """Let a function answer one method of an address, as Stripe does: with a key, in JSON."""

    def decorate(answer: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @wraps(answer)
        def view(request: HttpRequest, **kwargs: str) -> HttpResponse:
            try:
                _authenticate(request)
                if request.method != method:
                    raise _unrecognized(request)
                response = answer(request, **kwargs)
            except ApiError as error:
                response = JsonResponse(error.body, status=error.status)
            response["Request-Id"] = new_id("req")
            return response

        return view

    return decorate


@endpoint("POST")
def create_session(request: HttpRequest) -> HttpResponse:
    return _once(request, lambda given: sessions.create(params.check(given), now=timezone.now()))


@endpoint("GET")
def retrieve_session(request: HttpRequest, session_id: str) -> HttpResponse:
    try:
        return JsonResponse(sessions.as_json(sessions.find(session_id, now=timezone.now())))
    except Session.DoesNotExist as error:
        raise _no_such_session(session_id) from error


@endpoint("POST")
def expire_session(request: HttpRequest, session_id: str) -> HttpResponse:
    try:
        return _once(request, lambda given: sessions.expire(session_id, now=timezone.now()))
    except Session.DoesNotExist as error:
        raise _no_such_session(session_id) from error
    except sessions.NotOpen as error:
        raise ApiError(
            400,
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of `{error}`.",
        ) from error


def _authenticate(request: HttpRequest) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if not key or scheme.lower() != "bearer":
        raise ApiError(401, "You did not provide an API key: send Authorization: Bearer <key>.")
    if not hmac.compare_digest(key.encode(), settings.STRIPE_SECRET_KEY.encode()):
        raise ApiError(401, "Invalid API Key provided.")


def _once(request: HttpRequest, do: Callable[[Json], Session]) -> HttpResponse:
    """Do what a POST asks for, or repeat the answer its `Idempotency-Key` got.

    As at Stripe, a request that is refused leaves its key free
    (https://docs.stripe.com/api/idempotent_requests).
    """
    try:
        given = params.parse(request.POST)
        with transaction.atomic():
            kept, is_new = _kept_answer(request, given)
            if is_new:
                kept.answer = sessions.as_json(do(given))
                kept.save()
    except params.InvalidParams as error:
        raise ApiError(400, error.message, code=error.code, param=error.param) from error
    headers = {} if is_new else {"Idempotent-Replayed": "true"}
    return JsonResponse(kept.answer, headers=headers)


def _kept_answer(request: HttpRequest, given: Json) -> tuple[IdempotencyKey, bool]:
    """The answer kept for the request's key, and whether it is still to be found.

    Two requests with one key wait for each other here.
    """
    now = timezone.now()
    key = request.headers.get("Idempotency-Key") or new_id("key")
    if len(key) > 255:
        raise ApiError(400, "An idempotency key has at most 255 characters.")
    IdempotencyKey.objects.filter(created_at__lte=now - KEY_LIFETIME).delete()
    kept, is_new = IdempotencyKey.objects.get_or_create(
        key=key, defaults={"path": request.path, "params": given, "created_at": now}
    )
    if (kept.path, kept.params) != (request.path, given):
        raise ApiError(
            400,
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant to execute a "
            "different request.",
            kind="idempotency_error",
        )
    return kept, is_new


def _unrecognized(request: HttpRequest) -> ApiError:
    return ApiError(404, f"Unrecognized request URL ({request.method}: {request.path}).")


def _no_such_session(session_id: str) -> ApiError:
    return ApiError(
        404,
        f"No such checkout.session: {session_id}",
        code="resource_missing",
        param="session",
    )
