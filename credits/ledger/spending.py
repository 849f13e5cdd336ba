"""Spending credits on actions, one by one or in batches, and giving them back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from credits.ledger import database
from credits.ledger.errors import (
    IdempotencyConflict,
    LedgerError,
    OrganizationSuspended,
    OutOfCredits,
    TokenLimitReached,
    TooManyCredits,
    UnknownAction,
)
from credits.models import ApiKey, Organization, Refund, Spend, User


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one grant gave to a spend."""

    grant: UUID
    kind: str
    credits: int


@dataclass(frozen=True, slots=True)
class SpendResult:
    """A spend or a hold, as it was made; a replay tells the same."""

    id: UUID
    organization: Organization
    action: str
    quantity: int
    unit_credits: int
    credits: int
    reference: str
    drawn: tuple[Drawn, ...]
    balance: int
    created_at: datetime
    hold_expires_at: datetime | None
    replayed: bool


@dataclass(frozen=True, slots=True)
class SpendItem:
    """One item of a batch: a spend that is asked for."""

    organization: Organization
    action: str
    quantity: int = 1
    reference: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """How many credits the spends and holds of one browser token may take together."""

    token_id: UUID
    credits: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefundResult:
    """A refund; `refunded_credits` is the spend's total right after it."""

    spend: Spend
    credits: int
    refunded_credits: int
    created_at: datetime
    replayed: bool


def spend(
    organization: Organization,
    action: str,
    *,
    quantity: int = 1,
    reference: str = "",
    idempotency_key: str | None = None,
    api_key: ApiKey | None = None,
    limit: SpendLimit | None = None,
    now: datetime,
) -> SpendResult:
    """Spend `quantity` (1 to 1,000,000) uses of an action, in one database round trip.

    The action's price in credits is read under the wallet's lock, and grants are drawn in burn-down
    order. The same `idempotency_key` with the same request returns the first answer, which does
    not count against the `limit`; nor does anything given back raise that again.

    Raises OutOfCredits, TokenLimitReached, IdempotencyConflict, OrganizationSuspended or
    UnknownAction.

    >>> ledger.spend(acme, "alt-text.generate", quantity=2, now=now).credits
    2
    """
    return take(
        SpendItem(organization, action, quantity, reference, idempotency_key),
        api_key=api_key,
        limit=limit,
        hold_seconds=None,
        now=now,
    )


def take(
    item: SpendItem,
    *,
    api_key: ApiKey | None,
    limit: SpendLimit | None,
    hold_seconds: int | None,
    now: datetime,
) -> SpendResult:
    """Spend an item, or set its credits aside for `hold_seconds`; see `spend` and `holds.hold`."""
    row = database.row(
        "ledger_spend",
        organization=item.organization.pk,
        api_key=api_key.pk if api_key else None,
        action=item.action,
        quantity=item.quantity,
        reference=item.reference,
        idempotency_key=item.idempotency_key,
        hold_seconds=hold_seconds,
        token=limit.token_id if limit else None,
        token_limit=limit.credits if limit else None,
        token_expires_at=limit.expires_at if limit else None,
        now=now,
    )
    result = _result(item, row)
    if isinstance(result, LedgerError):
        raise result
    return result


def spend_batch(
    items: Sequence[SpendItem], *, api_key: ApiKey | None = None, now: datetime
) -> list[SpendResult | LedgerError]:
    """Spend many items in one round trip and one commit.

    Each item is made or refused on its own, with what `spend` would return or raise, in the order
    given. Wallets are locked in organization order.

    >>> ledger.spend_batch([SpendItem(acme, "alt-text.generate")], now=now)[0].credits
    1
    """
    payload = [
        {
            "organization": item.organization.pk,
            "action": item.action,
            "quantity": item.quantity,
            "reference": item.reference,
            "key": item.idempotency_key,
        }
        for item in items
    ]
    rows = database.rows(
        "ledger_spend_batch",
        spends=json.dumps(payload),
        api_key=api_key.pk if api_key else None,
        now=now,
    )
    by_item = {row["item"]: row for row in rows}
    return [_result(item, by_item[position]) for position, item in enumerate(items)]


def _result(item: SpendItem, row: dict[str, Any]) -> SpendResult | LedgerError:
    match row["outcome"]:
        case "out_of_credits":
            return OutOfCredits(
                item.organization,
                required=row["total"],
                available=row["balance"],
                at=row["at"],
            )
        case "token_limit":
            return TokenLimitReached()
        case "conflict":
            return IdempotencyConflict()
        case "suspended":
            return OrganizationSuspended()
        case "unknown_action":
            return UnknownAction(item.action)
        case outcome:
            return SpendResult(
                id=row["spend"],
                organization=item.organization,
                action=item.action,
                quantity=item.quantity,
                unit_credits=row["price"],
                credits=row["total"],
                reference=item.reference,
                drawn=tuple(_drawn(part) for part in json.loads(row["drawn"])),
                balance=row["balance"],
                created_at=row["at"],
                hold_expires_at=row["held_until"],
                replayed=outcome == "replayed",
            )


def _drawn(part: dict[str, Any]) -> Drawn:
    return Drawn(UUID(part["grant"]), part["kind"], part["credits"])


def refund(
    spend: Spend,
    *,
    credits: int | None = None,
    idempotency_key: str | None = None,
    api_key: ApiKey | None = None,
    actor: User | None = None,
    reason: str = "",
    now: datetime,
) -> RefundResult:
    """Give back `credits` (1 or more) of a spend, or all that is left when it is None.

    They return to the grants they came from, the last drawn first; into a lapsed grant they return
    and lapse again, on the record. The same `idempotency_key` with the same request returns the
    first answer, and so does giving back all of a spend that has been given back in full. Who of
    staff gives it back, and why, is kept with it and its entries.

    Raises TooManyCredits, or IdempotencyConflict.

    >>> ledger.refund(spend, credits=1, now=now).refunded_credits
    1
    """
    with transaction.atomic():
        moment = database.open_wallet(spend.organization_id, now)
        spend.refresh_from_db()
        left = (
            spend.credits - spend.released_credits - spend.refunded_credits
            if spend.status == Spend.Status.SPENT
            else 0
        )
        first = _earlier_refund(spend, credits, reason, idempotency_key, left)
        if first:
            return RefundResult(spend, first.credits, first.refunded_after, first.created_at, True)
        given = left if credits is None else credits
        if not 1 <= given <= left:
            raise TooManyCredits(left)
        spend.refunded_credits += given
        spend.save(update_fields=["refunded_credits"])
        database.value(
            "ledger_give_back",
            spend=spend.pk,
            credits=given,
            now=moment,
            actor=actor.pk if actor else None,
            reason=reason,
        )
        Refund.objects.create(
            spend=spend,
            organization_id=spend.organization_id,
            api_key=api_key,
            credits=given,
            requested_credits=credits,
            refunded_after=spend.refunded_credits,
            idempotency_key=idempotency_key,
            actor=actor,
            reason=reason,
            created_at=moment,
        )
        return RefundResult(spend, given, spend.refunded_credits, moment, False)


def _earlier_refund(
    spend: Spend, credits: int | None, reason: str, idempotency_key: str | None, left: int
) -> Refund | None:
    refunds = Refund.objects.filter(organization_id=spend.organization_id)
    first = idempotency_key and refunds.filter(idempotency_key=idempotency_key).first()
    if first:
        if (first.spend_id, first.requested_credits, first.reason) != (spend.pk, credits, reason):
            raise IdempotencyConflict()
        return first
    if credits is None and left == 0:
        return refunds.filter(spend=spend).last()
    return None
