"""What every address of the API does: ask for a key, read parameters, answer in JSON, once."""

import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from topups.sandbox import params
from topups.sandbox.errors import KeyUsedOtherwise, Refused, Unauthorized, Unrecognized
from topups.sandbox.models import IdempotencyKey, new_id

KEY_LIFETIME = timedelta(hours=24)
Json = dict[str, Any]
# Takes the parameters of a request and, by name, the ids in its address.
Answer = Callable[..., Json]


def endpoint(**answers: Answer) -> Callable[..., HttpResponse]:
    """The view of an address, with what answers each of its methods.

    >>> path("v1/refunds", endpoint(GET=list_refunds, POST=create_refund))
    """

    @csrf_exempt
    def view(request: HttpRequest, **ids: str) -> HttpResponse:
        try:
            _authenticate(request)
            response = _respond(request, answers, ids)
        except Refused as refused:
            response = JsonResponse(_body(refused), status=refused.status)
        response["Request-Id"] = new_id("req")
        return response

    return view


def _respond(request: HttpRequest, answers: dict[str, Answer], ids: dict[str, str]) -> HttpResponse:
    answer = answers.get(request.method or "")
    if answer is None:
        raise Unrecognized(f"Unrecognized request URL ({request.method}: {request.path}).")
    if request.method == "POST":
        return _once(request, lambda given: answer(given, **ids))
    return JsonResponse(answer(params.parse(request.GET), **ids))


def _body(refused: Refused) -> Json:
    """https://docs.stripe.com/api/errors"""
    found = {
        "type": refused.kind,
        "message": refused.message,
        "code": refused.code,
        "param": refused.param,
    }
    return {"error": {name: value for name, value in found.items() if value}}


def _authenticate(request: HttpRequest) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if not key or scheme.lower() != "bearer":
        raise Unauthorized("You did not provide an API key: send Authorization: Bearer <key>.")
    if not hmac.compare_digest(key.encode(), settings.STRIPE_SECRET_KEY.encode()):
        raise Unauthorized("Invalid API Key provided.")


def _once(request: HttpRequest, do: Callable[[Json], Json]) -> HttpResponse:
    """Do what a POST asks for, or repeat the answer its `Idempotency-Key` got.

    As at Stripe, a request that is refused leaves its key free
    (https://docs.stripe.com/api/idempotent_requests).
    """
    given = params.parse(request.POST)
    with transaction.atomic():
        kept, is_new = _kept_answer(request, given)
        if is_new:
            kept.answer = do(given)
            kept.save()
    headers = {} if is_new else {"Idempotent-Replayed": "true"}
    return JsonResponse(kept.answer, headers=headers)


def _kept_answer(request: HttpRequest, given: Json) -> tuple[IdempotencyKey, bool]:
    """The answer kept for the request's key, and whether it is still to be found.

    Two requests with one key wait for each other here.
    """
    now = timezone.now()
    key = request.headers.get("Idempotency-Key") or new_id("key")
    if len(key) > 255:
        raise Refused("An idempotency key has at most 255 characters.")
    IdempotencyKey.objects.filter(created_at__lte=now - KEY_LIFETIME).delete()
    kept, is_new = IdempotencyKey.objects.get_or_create(
        key=key, defaults={"path": request.path, "params": given, "created_at": now}
    )
    if (kept.path, kept.params) != (request.path, given):
        raise KeyUsedOtherwise(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant to execute a "
            "different request."
        )
    return kept, is_new
