"""The examples in the OpenAPI schema, by operation; a test sends each and compares each answer."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from credits.api import explain_examples
from credits.api.problems import PROBLEMS, document, invalid

_ORGANIZATION = "org_8f3k2m9q4x7v1c5n"
_MADE_AT = "2026-11-25T10:00:00Z"
_NEXT_REFILL = {"at": "2026-11-30T00:00:00Z", "credits": 50}
_WEEKLY_GRANT = "019e3f5c-2b79-7d02-8a11-5b7c9d3e1f20"
_WAY_OUT: dict[str, Any] = {
    "detail": "You've used all your credits. Your next 50 free credits come on Monday, November 30 "
    "at 00:00 UTC.",
    "required": 100,
    "next_refill": _NEXT_REFILL,
    "top_up_url": f"{settings.BASE_URL}/top-up/",
}

PROBLEM_DOCUMENTS: Mapping[str, dict[str, Any]] = {
    **{code: document(code, problem.meaning) for code, problem in PROBLEMS.items()},
    "invalid_request": invalid({"quantity": "A valid integer is required."}),
    "unauthorized": document(
        "unauthorized",
        "This API key does not work: it is mistyped, revoked or expired. Use another one.",
    ),
    "out_of_credits": document("out_of_credits", **_WAY_OUT),
    "forbidden": document("forbidden", "Balance and usage are not shown for this organization."),
    "conflict": document("conflict", "This hold is captured; it cannot be changed."),
}

_SPEND = {
    "id": "019e3f5c-2b7a-7c41-9a55-0c6a1f2d3e4b",
    "organization": _ORGANIZATION,
    "action": "alt-text.generate",
    "quantity": 2,
    "credits": 2,
    "status": "spent",
    "reference": "image-17",
    "drawn": [{"grant": _WEEKLY_GRANT, "kind": "weekly", "credits": 2}],
    "created_at": _MADE_AT,
}
_HOLD = {
    "id": "019e3f5c-4d10-7b33-8f26-1a2b3c4d5e6f",
    "organization": _ORGANIZATION,
    "action": "background.remove",
    "quantity": 10,
    "credits": 10,
    "status": "held",
    "reference": "album-9",
    "drawn": [{"grant": _WEEKLY_GRANT, "kind": "weekly", "credits": 10}],
    "created_at": _MADE_AT,
    "expires_at": "2026-11-25T10:10:00Z",
}


def _settled(made: Mapping[str, Any], **changes: object) -> dict[str, Any]:
    """A spend or hold as a refund, capture or release answers it."""
    shown = {name: made[name] for name in made if name not in ("drawn", "expires_at")}
    return {**shown, "released": 0, "refunded": 0, **changes}


REQUESTS: Mapping[str, dict[str, Any]] = {
    "spend": {"action": "alt-text.generate", "quantity": 2, "reference": "image-17"},
    "hold": {
        "action": "background.remove",
        "quantity": 10,
        "reference": "album-9",
        "expires_in_seconds": 600,
    },
    "capture": {"credits": 6},
    "release": {},
    "refund": {"credits": 1},
    "spend_batch": {
        "spends": [
            {
                "action": "alt-text.generate",
                "quantity": 2,
                "reference": "image-17",
                "idempotency_key": "image-17",
            },
            {"action": "rich-text.generate", "quantity": 100},
        ]
    },
    "create_token": {
        "actions": ["alt-text.generate"],
        "origins": ["https://shop.example"],
        "spend_limit": 20,
        "expires_in_seconds": 900,
    },
}

ANSWERS: Mapping[str, dict[str, Any]] = {
    **explain_examples.ANSWERS,
    "spend": _SPEND,
    "hold": _HOLD,
    "capture": _settled(_HOLD, status="captured", credits=6, released=4),
    "release": _settled(_HOLD, status="released", credits=0, released=10),
    "refund": _settled(_SPEND, status="partially_refunded", refunded=1),
    "spend_batch": {
        "results": [
            {"status": 201, "replayed": False, "spend": _SPEND},
            {"status": 402, "problem": PROBLEM_DOCUMENTS["out_of_credits"]},
        ]
    },
    "create_token": {
        "token": "ct_eyJpZCI6IjVmMGMifQ.c2lnbmVkLWJ5LXVz",
        "organization": _ORGANIZATION,
        "actions": ["alt-text.generate"],
        "origins": ["https://shop.example"],
        "spend_limit": 20,
        "expires_at": "2026-11-25T10:15:00Z",
    },
    "list_actions": {
        "actions": [
            {
                "code": "alt-text.generate",
                "service": "Image alt text",
                "name": "Generate alt text",
                "credits": 1,
            }
        ]
    },
    "check": {"allowed": True, "required": 1},
    "get_balance": {
        "organization": _ORGANIZATION,
        "at": _MADE_AT,
        "balance": 42,
        "by_kind": {"weekly": 42, "top_up": 0, "staff": 0},
        "next_refill": _NEXT_REFILL,
    },
    "get_usage": {
        "organization": _ORGANIZATION,
        "from": "2026-11-23T00:00:00Z",
        "to": _MADE_AT,
        "by": "action",
        "credits": 2,
        "usage": [{"name": "alt-text.generate", "spends": 1, "quantity": 2, "credits": 2}],
    },
}
