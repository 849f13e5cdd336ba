"""`POST /api/v1/spends/batch` on the fast path: 200, where each item is made or out of credits.

A batch with anything else in it is the view's, all of it: the database makes none of its items
unless each is made, replayed or short of credits (see sql/grouping.sql), so nothing was done when
the view begins anew. Once there is something made, no answer but its own is right any more.

Batches have a committer and a connection of their own, so that no single spend waits behind one.
What is read and written here holds up the event loop, some 10 µs per item, so large ones are the
view's too.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from django.db import Error as DatabaseError
from django.utils import timezone

from credits.api import plain
from credits.api.denials import Denials
from credits.api.fast_path import Answer, Headers
from credits.api.fast_spends import payload, spend_document
from credits.api.rendering import render
from credits.ledger.group_commit import GroupCommit, Made, Unavailable

MAX_ITEMS = 250
MAX_GROUP = 4
MAX_WAITING = 100


class FastBatches:
    """Many spends; see `fast_path.FastCall`."""

    path = "/api/v1/spends/batch"
    max_body_bytes = 65_536

    def __init__(self, denials: Denials) -> None:
        self._commits = GroupCommit(timezone.now, max_group=MAX_GROUP, max_waiting=MAX_WAITING)
        self._denials = denials

    async def answer(self, secret: str, headers: Headers, body: bytes) -> Answer | None:
        asked = None if b"idempotency-key" in headers else _plain_items(body)
        if asked is None:
            return None
        request = {"secret": secret, "spends": [payload(item) for item in asked]}
        made = await self._commits.spend(request)
        if made[0].outcome == "other":
            return None
        try:
            results = [await self._result(item, one) for item, one in zip(asked, made, strict=True)]
        except DatabaseError as error:
            # Spends were made, so it is too late for the view; a repeat gets the same answers.
            raise Unavailable(retry_after_seconds=5) from error
        return Answer(200, render({"results": results}), asker=made[0])

    async def close(self) -> None:
        await self._commits.close()

    async def _result(self, asked: plain.SpendFields, made: Made) -> dict[str, Any]:
        if made.outcome == "out_of_credits":
            return {"status": 402, "problem": orjson.Fragment(await self._denials.body(made))}
        is_replayed = made.outcome == "replayed"
        return {"status": 201, "replayed": is_replayed, "spend": spend_document(asked, made)}


def _plain_items(body: bytes) -> Sequence[plain.SpendFields] | None:
    """What the items of a batch ask for; None where one of them, or the batch, is not plain."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(fields) is not dict or fields.keys() != {"spends"}:
        return None
    spends = fields["spends"]
    if type(spends) is not list or not 1 <= len(spends) <= MAX_ITEMS:
        return None
    asked = [plain.batch_item(item) for item in spends]
    return None if None in asked else asked  # type: ignore[return-value]
