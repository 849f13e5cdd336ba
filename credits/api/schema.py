"""What the OpenAPI schema says beyond what the views show by themselves."""

import inspect
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
)
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from credits.api import examples
from credits.api.problems import CONTENT_TYPE, PROBLEMS, Problem
from credits.api.serializers import (
    MAX_BATCH,
    ActionSerializer,
    BatchItemForm,
    Form,
    NextRefillSerializer,
)
from credits.models import MAX_IDEMPOTENCY_KEY_LENGTH

Schema = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])

# What every call can answer, and every call with a body.
EVERY_CALL = ("unauthorized", "forbidden", "rate_limited", "server_error", "unavailable")
WITH_BODY = ("invalid_request", "length_required", "payload_too_large", "unsupported_media_type")

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    # Spaces at the ends of a header are not part of it (RFC 9110, section 5.5).
    {
        "type": "string",
        "pattern": "^[!-~]([ -~]*[!-~])?$",
        "minLength": 1,
        "maxLength": MAX_IDEMPOTENCY_KEY_LENGTH,
    },
    location=OpenApiParameter.HEADER,
    description="A key of your own for this request, such as a UUID. A repeat with the same key "
    "gives the first answer and changes nothing more.",
)


def call(
    name: str,
    tag: str,
    *,
    answer: Any,
    status: int = 200,
    request: Any = None,
    query: type[Form] | None = None,
    problems: Iterable[str] = (),
    is_idempotent: bool = False,
) -> Callable[[Method], Method]:
    """Describe a call: its name and group, what is sent, what comes back and what can go wrong.

    The first sentence of the method's docstring is its summary, the rest its description.
    """
    codes = {*EVERY_CALL, *(WITH_BODY if request else ()), *problems}
    parameters = [query] if query else [IDEMPOTENCY_KEY] if is_idempotent else []
    shown = [OpenApiExample("Example", examples.ANSWERS[name])]

    def describe(method: Method) -> Method:
        summary, _, more = inspect.cleandoc(method.__doc__ or "").partition("\n\n")
        return extend_schema(
            operation_id=name,
            tags=[tag],
            summary=summary.rstrip("."),
            description=more,
            parameters=parameters,
            request=request,
            responses={
                (status, "application/json"): OpenApiResponse(answer, summary, shown),
                **_problem_responses(codes),
            },
            examples=[OpenApiExample("Example", examples.REQUESTS[name], request_only=True)]
            if request
            else [],
        )(method)

    return describe


def _problem_responses(codes: Collection[str]) -> dict[tuple[int, str], OpenApiResponse]:
    by_status: defaultdict[int, list[Problem]] = defaultdict(list)
    for problem in PROBLEMS.values():
        if problem.code in codes:
            by_status[problem.status].append(problem)
    return {(status, CONTENT_TYPE): _problem_response(found) for status, found in by_status.items()}


def _problem_response(found: list[Problem]) -> OpenApiResponse:
    schemas = [_reference(_name(problem)) for problem in found]
    return OpenApiResponse(
        schemas[0] if len(schemas) == 1 else {"oneOf": schemas},
        "\n\n".join(f"`{problem.code}`: {problem.meaning}" for problem in found),
        [
            OpenApiExample(problem.title, examples.PROBLEM_DOCUMENTS[problem.code])
            for problem in found
        ],
    )


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _name(problem: Problem) -> str:
    return problem.code.title().replace("_", "") + "Problem"


# --- Components ---------------------------------------------------------------------------------

_TEXT = {"type": "string"}
_CREDITS = {"type": "integer", "minimum": 0}
# What some problems tell beyond the members that all have.
_MEMBERS: dict[str, dict[str, Schema]] = {
    "invalid_request": {
        "errors": {
            "type": "array",
            "minItems": 1,
            "description": "The wrong fields, where the body could be read.",
            "items": {
                "type": "object",
                "properties": {"field": _TEXT, "message": _TEXT},
                "required": ["field", "message"],
            },
        }
    },
    "out_of_credits": {
        "required": {**_CREDITS, "description": "Credits that were needed."},
        "available": {**_CREDITS, "description": "Only where the balance is shown."},
        "next_refill": {
            "oneOf": [_reference("NextRefill"), {"type": "null"}],
            "description": "Null where the organization gets no free credits.",
        },
        "top_up_url": {"type": "string", "format": "uri"},
    },
}
_OPTIONAL = ("errors", "available")


def _problem_schema(problem: Problem) -> Schema:
    properties: dict[str, Schema] = {
        "type": {"type": "string", "format": "uri", "description": "A page about this problem."},
        "title": {**_TEXT, "enum": [problem.title]},
        "status": {"type": "integer", "enum": [problem.status]},
        "code": {**_TEXT, "enum": [problem.code]},
        "detail": {**_TEXT, "minLength": 1, "description": "What went wrong and what to do."},
        **_MEMBERS.get(problem.code, {}),
    }
    return {
        "type": "object",
        "description": problem.meaning,
        "properties": properties,
        "required": [name for name in properties if name not in _OPTIONAL],
    }


_HEADERS: dict[str, Schema] = {
    "X-Request-ID": {
        "description": "Tell it when you ask for help. One of your own, of 8 to 64 letters, "
        "digits and `._-`, is kept.",
        "required": True,
        "schema": {**_TEXT, "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    },
    "Idempotent-Replayed": {
        "description": "Here when this is the first answer to the same idempotency key.",
        "schema": {**_TEXT, "enum": ["true"]},
    },
    "WWW-Authenticate": {"required": True, "schema": {**_TEXT, "enum": ["Bearer"]}},
    "Retry-After": {
        "description": "Seconds to wait before the next attempt.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
}
_HEADERS_BY_STATUS = {
    "401": ("WWW-Authenticate",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
# Which calls go on with what another one made, by the parameter that takes its id.
_NEXT_CALLS = {
    "spend": {"refund": "spend_id"},
    "hold": {"capture": "hold_id", "release": "hold_id"},
}


def complete(result: Schema, **_: object) -> Schema:
    """drf-spectacular's hook: problems, headers of answers, and which call follows which."""
    components = result["components"]
    components["schemas"].update(
        {_name(known): _problem_schema(known) for known in PROBLEMS.values()}
    )
    components["headers"] = _HEADERS
    for methods in result["paths"].values():
        for operation in methods.values():
            _complete_operation(operation)
    return result


def _complete_operation(operation: Schema) -> None:
    is_idempotent = any(
        given["name"] == "Idempotency-Key" for given in operation.get("parameters", ())
    )
    for status, response in operation["responses"].items():
        names = ["X-Request-ID", *_HEADERS_BY_STATUS.get(status, ())]
        if is_idempotent and status.startswith("2"):
            names.append("Idempotent-Replayed")
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    if follow := _NEXT_CALLS.get(operation["operationId"]):
        operation["responses"]["201"]["links"] = {
            name: {"operationId": name, "parameters": {parameter: "$response.body#/id"}}
            for name, parameter in follow.items()
        }


class ClosedForm(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A form refuses fields that it does not know."""

    target_class = Form
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


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


class StaffKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "credits.api.authentication.StaffKeyAuthentication"
    name = "StaffKey"

    def get_security_definition(self, auth_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A staff key (`cs_…`), which a member of staff makes in the admin. It "
            "may do what its owner may.",
        }


# --- Shapes that no view shows by itself --------------------------------------------------------


class Batch(Form):
    """Each item is made or refused on its own, so a wrong one spoils no other."""

    spends = serializers.ListField(child=BatchItemForm(), min_length=1, max_length=MAX_BATCH)


BATCH_RESPONSE: Schema = {
    "type": "object",
    "properties": {
        "results": {
            "type": "array",
            "description": "One for each item, in order.",
            "items": {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {
                            "status": {"type": "integer", "enum": [201]},
                            "replayed": {"type": "boolean"},
                            "spend": _reference("Spend"),
                        },
                        "required": ["status", "replayed", "spend"],
                    },
                    {
                        "type": "object",
                        "properties": {
                            "status": {"type": "integer", "enum": [400, 402, 403, 422]},
                            "problem": {
                                "oneOf": [
                                    _reference(_name(PROBLEMS[code]))
                                    for code in (
                                        "invalid_request",
                                        "out_of_credits",
                                        "forbidden",
                                        "idempotency_conflict",
                                    )
                                ]
                            },
                        },
                        "required": ["status", "problem"],
                    },
                ]
            },
        }
    },
    "required": ["results"],
}
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
