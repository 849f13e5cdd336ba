"""`POST /api/v1/spends` on the fast path: 201, made now or before, or 402."""

from typing import Any

import orjson
from django.utils import timezone

from credits.api import plain
from credits.api.denials import Denials
from credits.api.fast_path import Answer, Headers
from credits.api.rendering import render
from credits.api.serializers import IDEMPOTENCY_KEY
from credits.ledger.group_commit import GroupCommit, Made


class FastSpends:
    """One spend; see `fast_path.FastCall`."""

    path = "/api/v1/spends"
    max_body_bytes = 4_096

    def __init__(self, denials: Denials) -> None:
        self._commits = GroupCommit(clock=timezone.now)
        self._denials = denials

    async def answer(self, secret: str, headers: Headers, body: bytes) -> Answer | None:
        asked = _plain_spend(headers, body)
        if asked is None:
            return None
        (made,) = await self._commits.spend({"secret": secret, **payload(asked)})
        match made.outcome:
            case "created":
                return Answer(201, _spend_body(asked, made), asker=made)
            case "replayed":
                header = (b"Idempotent-Replayed", b"true")
                return Answer(201, _spend_body(asked, made), header, made)
            case "out_of_credits":
                return Answer(402, await self._denials.body(made), asker=made)
        return None

    async def close(self) -> None:
        await self._commits.close()


def _plain_spend(headers: Headers, body: bytes) -> plain.SpendFields | None:
    """What is asked for; None where the request is not plain after all."""
    key = headers[b"idempotency-key"].decode("latin-1") if b"idempotency-key" in headers else None
    if key is not None and not IDEMPOTENCY_KEY.match(key):
        return None
    try:
        asked = plain.order(orjson.loads(body))
    except orjson.JSONDecodeError:
        return None
    return asked and asked._replace(idempotency_key=key)


def payload(asked: plain.SpendFields) -> dict[str, Any]:
    """A spend as `ledger_spend_group` takes it."""
    return {
        "organization": asked.organization,
        "action": asked.action,
        "quantity": asked.quantity,
        "reference": asked.reference,
        "key": asked.idempotency_key,
    }


def _spend_body(asked: plain.SpendFields, made: Made) -> bytes:
    return render(spend_document(asked, made))


def spend_document(asked: plain.SpendFields, made: Made) -> dict[str, Any]:
    """A spend as it is answered, ready for `render`."""
    return plain.spend_body(
        asked,
        id=made.spend,
        organization=made.organization,
        credits=made.total,
        drawn=[
            {"grant": part["grant"], "kind": part["kind"], "credits": part["credits"]}
            for part in made.drawn
        ],
        created_at=made.at,
        balance=made.balance if made.shows_balance else None,
    )
