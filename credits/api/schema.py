"""What the OpenAPI schema says beyond what the views show by themselves."""

from collections.abc import Mapping

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from credits.api.problems import PROBLEMS
from credits.api.serializers import ActionSerializer, BatchItemForm, SpendSerializer

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="A key of your own for this request, such as a UUID. A repeat with the same key "
    "gives the first answer and spends nothing more.",
)


class ProblemSerializer(serializers.Serializer[Mapping[str, object]]):
    """A problem document (RFC 9457)."""

    type = serializers.URLField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.ChoiceField(list(PROBLEMS))
    detail = serializers.CharField()


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The error responses of a call; every call can also answer 401 and 429."""
    return {
        (problem.status, "application/problem+json"): OpenApiResponse(
            ProblemSerializer, description=problem.meaning
        )
        for problem in PROBLEMS.values()
        if problem.status in (401, 429, *statuses)
    }


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
                "problem": ProblemSerializer(required=False),
            },
            many=True,
        )
    },
)
ACTIONS_RESPONSE = inline_serializer("Actions", {"actions": ActionSerializer(many=True)})


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "credits.api.authentication.ApiKeyAuthentication"
    name = "API key"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
