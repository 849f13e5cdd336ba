"""What the OpenAPI schema says beyond what the views show by themselves."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from credits.api.problems import PROBLEMS
from credits.api.serializers import (
    ActionSerializer,
    BatchItemForm,
    NextRefillSerializer,
    SpendSerializer,
)

EVERY_CALL = (401, 403, 405, 411, 413, 415, 429, 500, 503)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="A key of your own for this request, such as a UUID. A repeat with the same key "
    "gives the first answer and spends nothing more.",
)


FIELD_ERROR = inline_serializer(
    "FieldError",
    {"field": serializers.CharField(), "message": serializers.CharField()},
    many=True,
    required=False,
    help_text="With `invalid_request`.",
)
PROBLEM_FIELDS: dict[str, serializers.Field[Any, Any, Any, Any]] = {
    "type": serializers.URLField(),
    "title": serializers.CharField(),
    "status": serializers.IntegerField(),
    "code": serializers.ChoiceField(list(PROBLEMS)),
    "detail": serializers.CharField(help_text="What went wrong and what to do."),
    "errors": FIELD_ERROR,
    "required": serializers.IntegerField(required=False, help_text="With `out_of_credits`."),
    "available": serializers.IntegerField(
        required=False, help_text="With `out_of_credits`, where the balance is shown."
    ),
    "next_refill": NextRefillSerializer(
        required=False, allow_null=True, help_text="With `out_of_credits`."
    ),
    "top_up_url": serializers.URLField(required=False, help_text="With `out_of_credits`."),
}
PROBLEM = inline_serializer("Problem", PROBLEM_FIELDS)


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The error responses of a call; every call can also answer those of EVERY_CALL."""
    return {
        (status, "application/problem+json"): OpenApiResponse(
            PROBLEM, description=_meanings(status)
        )
        for status in sorted({*EVERY_CALL, *statuses})
    }


def _meanings(status: int) -> str:
    found = [problem for problem in PROBLEMS.values() if problem.status == status]
    return "\n\n".join(f"`{problem.code}`: {problem.meaning}" for problem in found)


BATCH_REQUEST = inline_serializer("Batch", {"spends": BatchItemForm(many=True)})
BATCH_RESPONSE = inline_serializer(
    "BatchResults",
    {
        "results": inline_serializer(
            "BatchResult",
            {
                "status": serializers.IntegerField(),
                "replayed": serializers.BooleanField(required=False),
                "spend": SpendSerializer(required=False),
                "problem": type(PROBLEM)(required=False),
            },
            many=True,
        )
    },
)
CHECK_RESPONSE = inline_serializer(
    "Check",
    {
        "allowed": serializers.BooleanField(),
        "required": serializers.IntegerField(help_text="Credits the spend takes."),
        "detail": serializers.CharField(required=False, help_text="What to tell the user."),
        "next_refill": NextRefillSerializer(required=False, allow_null=True),
        "top_up_url": serializers.URLField(required=False),
    },
)
ACTIONS_RESPONSE = inline_serializer("Actions", {"actions": ActionSerializer(many=True)})


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "credits.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A secret key (`ck_…`), on a server. In a web page a browser token "
            "(`ct_…`) made with it by `POST /api/v1/tokens`, which the calls for single spends and "
            "holds take, and those that read.",
        }
