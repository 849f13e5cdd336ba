"""What is ordinary about a spend, read and answered by hand.

The forms and serializers in `credits.api.serializers` are the contract. They take far longer than
the spend itself, so what nearly every request sends is read here, and what nearly every spend
answers is made here, to the same result. A request that is anything but ordinary is
given up, and goes to its form.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from credits import ledger
from credits.api.serializers import (
    IDEMPOTENCY_KEY,
    MAX_ACTION_LENGTH,
    MAX_ORGANIZATION_LENGTH,
)
from credits.models import MAX_QUANTITY, MAX_REFERENCE_LENGTH

_SPEND_FIELDS = {"action", "quantity", "organization", "reference"}
_ITEM_FIELDS = {*_SPEND_FIELDS, "idempotency_key"}
# NUL, and surrogates without their other half, which are no text.
_UNTEXT = re.compile("[\0\ud800-\udfff]")


class SpendFields(NamedTuple):
    """What a request asks to spend; the key of a request on its own is in its header."""

    action: str
    quantity: int = 1
    organization: str | None = None
    reference: str = ""
    idempotency_key: str | None = None


def order(fields: object) -> SpendFields | None:
    """The fields of a spend as SpendForm reads them; None where the form has to look."""
    if type(fields) is not dict or not fields.keys() <= _SPEND_FIELDS:
        return None
    return _read(fields)


def batch_item(fields: object) -> SpendFields | None:
    """The fields of an item as BatchItemForm reads them; None where the form has to look."""
    if type(fields) is not dict or not fields.keys() <= _ITEM_FIELDS:
        return None
    if "idempotency_key" not in fields:
        return _read(fields)
    key = fields["idempotency_key"]
    return _read(fields, key) if isinstance(key, str) and IDEMPOTENCY_KEY.match(key) else None


def _read(fields: Mapping[str, Any], key: str | None = None) -> SpendFields | None:
    action: Any = fields.get("action")
    quantity = fields.get("quantity", 1)
    organization = fields.get("organization")
    reference = fields.get("reference", "")
    is_ordinary = (
        _is_text(action, MAX_ACTION_LENGTH)
        and type(quantity) is int  # A bool is none to the form.
        and 1 <= quantity <= MAX_QUANTITY
        and (reference == "" or _is_text(reference, MAX_REFERENCE_LENGTH))
        and ("organization" not in fields or _is_text(organization, MAX_ORGANIZATION_LENGTH))
    )
    return SpendFields(action, quantity, organization, reference, key) if is_ordinary else None


def _is_text(value: object, max_length: int) -> bool:
    """Whether a form would keep the value as it is: there is some, and nothing to trim."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= max_length
        and value == value.strip()
        # What can be printed has none of it, and is known sooner.
        and (value.isprintable() or not _UNTEXT.search(value))
    )


def spend_body(
    asked: SpendFields | ledger.SpendResult,
    *,
    id: UUID,  # noqa: A002 as the answer calls it
    organization: str,
    credits: int,
    drawn: Iterable[Mapping[str, Any]],
    created_at: datetime,
    balance: int | None,
) -> dict[str, Any]:
    """A spend as SpendSerializer shows it, its id and moment as credits.api.rendering takes them.

    `organization` is a public id, `drawn` has the grant's id as text, its kind and the credits it
    gave; `balance` is None where it is not shown.
    """
    body = {
        "id": id,
        "organization": organization,
        "action": asked.action,
        "quantity": asked.quantity,
        "credits": credits,
        "status": "spent",
        "reference": asked.reference,
        "drawn": drawn,
        "created_at": created_at.astimezone(UTC),
    }
    if balance is not None:
        body["balance"] = balance
    return body


def result_body(result: ledger.SpendResult) -> dict[str, Any]:
    """What the ledger made, as SpendSerializer shows it."""
    organization = result.organization
    body = spend_body(
        result,
        id=result.id,
        organization=organization.public_id,
        credits=result.credits,
        drawn=[
            {"grant": str(part.grant), "kind": part.kind, "credits": part.credits}
            for part in result.drawn
        ],
        created_at=result.created_at,
        balance=result.balance if organization.show_balance else None,
    )
    moment = body["created_at"].isoformat().replace("+00:00", "Z")
    return {**body, "id": str(result.id), "created_at": moment}
