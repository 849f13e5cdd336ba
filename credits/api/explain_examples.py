"""The examples of explanations in the OpenAPI schema; a test makes each and compares it."""

from collections.abc import Mapping
from typing import Any

_WEEKLY_GRANT = "019e3f5c-2b79-7d02-8a11-5b7c9d3e1f20"
_STAFF_GRANT = "019e3f5d-71c4-7a0e-9d53-4c2b1a0f9e8d"
_ORGANIZATION = "org_8f3k2m9q4x7v1c5n"
_KEY = {"name": "Shop", "prefix": "ck_org_Mnnh9"}
_AT_NINE = "2026-11-23T09:00:00Z"
_BY_NOBODY = {"actor": None, "reason": ""}

_SPENT = {
    "seq": 2,
    "kind": "spend",
    "credits": -2,
    "remaining_after": 48,
    "spend": {
        "id": "019e3f5c-2b7a-7c41-9a55-0c6a1f2d3e4b",
        "action": "alt-text.generate",
        "reference": "image-17",
    },
    **_BY_NOBODY,
    "created_at": _AT_NINE,
}
_GRANTED = {
    "seq": 1,
    "kind": "grant",
    "credits": 50,
    "remaining_after": 50,
    "spend": None,
    **_BY_NOBODY,
    "created_at": _AT_NINE,
}
_WEEKLY = {
    "id": _WEEKLY_GRANT,
    "kind": "weekly",
    "amount": 50,
    "credits": 48,
    "remaining": 48,
    "overdue_holds": 0,
    "frozen": 0,
    "taken_back": 0,
    "created_at": _AT_NINE,
    "expires_at": "2026-11-30T00:00:00Z",
    "lapsed": False,
    "purchase": None,
    **_BY_NOBODY,
    "opening": {"credits": 0, "at": None},
    "sums": [],
    "entries": [_SPENT, _GRANTED],
}


def _returned(credits: int) -> dict[str, Any]:
    return {
        "grant": _STAFF_GRANT,
        "kind": "staff",
        "credits": credits,
        "lapsed": 0,
        "taken_back": 0,
    }


ANSWERS: Mapping[str, dict[str, Any]] = {
    "explain_organization": {
        "organization": _ORGANIZATION,
        "name": "Acme",
        "at": "2026-11-23T12:00:00Z",
        "balance": 48,
        "by_kind": {"weekly": 48, "top_up": 0, "staff": 0},
        "untouched_bundle": None,
        "grants": [_WEEKLY],
        "more_grants": 0,
        "more_credits": 0,
        "ended": [],
    },
    "explain_spend": {
        "id": "019e3f5e-4d10-7b33-8f26-1a2b3c4d5e6f",
        "organization": _ORGANIZATION,
        "action": "background.remove",
        "quantity": 60,
        "unit_credits": 1,
        "unit_credits_now": 1,
        "credits": 60,
        "kept": 52,
        "status": "spent",
        "balance_after": 88,
        "reference": "album-9",
        "idempotency_key": "album-9",
        "api_key": _KEY,
        "created_at": "2026-11-24T11:00:00Z",
        "hold_expires_at": "2026-11-24T11:15:00Z",
        "drawn": [
            {"grant": _WEEKLY_GRANT, "kind": "weekly", "credits": 48},
            {"grant": _STAFF_GRANT, "kind": "staff", "credits": 12},
        ],
        "settlement": {
            "outcome": "captured",
            "at": "2026-11-24T11:05:00Z",
            "captured": 55,
            "returned": [_returned(5)],
        },
        "refunds": [
            {
                "at": "2026-11-24T12:00:00Z",
                "credits": 3,
                "api_key": _KEY,
                **_BY_NOBODY,
                "returned": [_returned(3)],
            }
        ],
    },
}
