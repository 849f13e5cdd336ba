"""One month of each top-up: what it cost, what moved, and what of it is still deferred."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from topups.accounting import MOVEMENTS, cost_basis, roll_forward, worth
from topups.money import decimals_of

ROWS_PER_CHUNK = 2_000
_FIRST = UUID(int=0)

# A top-up is in a month in which it moved or at whose end some of it is left.
_ALL = """
    SELECT grant_id FROM credits_grantmonth
    WHERE grant_id > %(after)s AND month <= %(month)s
    GROUP BY grant_id HAVING max(month) = %(month)s
        OR sum(granted - used - lapsed - taken_back - adjusted) > 0
    ORDER BY grant_id LIMIT %(limit)s
"""
_MOVED = """
    SELECT m.grant_id FROM credits_grantmonth m
    JOIN credits_grant g ON g.id = m.grant_id
    JOIN topups_purchase p ON p.id = g.purchase_id
    WHERE m.grant_id > %(after)s AND m.month = %(month)s AND p.currency = %(currency)s
    ORDER BY m.grant_id LIMIT %(limit)s
"""
_ROWS = """
    SELECT m.*, g.amount, o.public_id AS organization, o.name AS organization_name,
        p.id AS purchase_id, p.stripe_session_id, p.stripe_payment_intent_id, p.paid_at,
        p.currency, p.paid_minor, p.tax_minor
    FROM (
        SELECT grant_id,
            coalesce(sum(granted) FILTER (WHERE month = %(month)s), 0)::bigint AS sold,
            coalesce(sum(used) FILTER (WHERE month = %(month)s), 0)::bigint AS recognized,
            coalesce(sum(lapsed) FILTER (WHERE month = %(month)s), 0)::bigint AS lapsed,
            coalesce(sum(taken_back) FILTER (WHERE month = %(month)s), 0)::bigint AS refunded,
            coalesce(sum(adjusted) FILTER (WHERE month = %(month)s), 0)::bigint AS adjusted,
            sum(granted - used - lapsed - taken_back - adjusted)::bigint AS closing,
            sum(set_aside)::bigint AS held, sum(frozen)::bigint AS frozen
        FROM credits_grantmonth WHERE grant_id = ANY(%(grants)s) AND month <= %(month)s
        GROUP BY grant_id
    ) m
    JOIN credits_grant g ON g.id = m.grant_id
    JOIN topups_purchase p ON p.id = g.purchase_id
    JOIN credits_organization o ON o.id = g.organization_id
    ORDER BY m.grant_id
"""


@dataclass(frozen=True)
class TopUpMonth:
    """One top-up in one month: its sale, and its roll-forward in credits.

    `amount` is what was granted, and `held` and `frozen` what of `closing` cannot be spent now.
    """

    grant_id: UUID
    sold: int
    recognized: int
    lapsed: int
    refunded: int
    adjusted: int
    closing: int
    held: int
    frozen: int
    amount: int
    organization: str
    organization_name: str
    purchase_id: UUID
    stripe_session_id: str
    stripe_payment_intent_id: str
    paid_at: datetime
    currency: str
    paid_minor: int
    tax_minor: int

    @property
    def net_minor(self) -> int:
        return self.paid_minor - self.tax_minor

    @cached_property
    def moved(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in MOVEMENTS}

    @cached_property
    def opening(self) -> int:
        return self.closing - sum(MOVEMENTS[name] * moved for name, moved in self.moved.items())

    @property
    def credits(self) -> dict[str, int]:
        """The roll-forward in credits, as `money` has it in minor units."""
        return {"opening": self.opening, **self.moved, "closing": self.closing}

    @cached_property
    def money(self) -> dict[str, int]:
        return roll_forward(self.opening, self.moved, net_minor=self.net_minor, amount=self.amount)

    @property
    def cost_basis(self) -> Decimal:
        """What one credit of it cost, in the currency itself."""
        decimals = decimals_of(self.currency)
        return cost_basis(net_minor=self.net_minor, amount=self.amount, decimals=decimals)

    def worth(self, credits: int) -> int:
        return worth(credits, net_minor=self.net_minor, amount=self.amount)


def in_chunks(month: date) -> Iterator[list[TopUpMonth]]:
    """Every top-up that moved in a month or was left at its end, by grant, a chunk at a time.

    Each chunk is a query of its own: who takes an hour to read them keeps no transaction open.
    """
    chunk = _chunk(_ALL, month=month, after=_FIRST, limit=ROWS_PER_CHUNK)
    while chunk:
        yield chunk
        chunk = _chunk(_ALL, month=month, after=chunk[-1].grant_id, limit=ROWS_PER_CHUNK)


def moved_in(
    month: date, currency: str, *, after: UUID | None = None, limit: int
) -> list[TopUpMonth]:
    """The first top-ups that moved in a month in a currency, by grant, or those after one."""
    return _chunk(_MOVED, month=month, currency=currency, after=after or _FIRST, limit=limit)


def _chunk(which: str, **arguments: Any) -> list[TopUpMonth]:
    with transaction.atomic(), connection.cursor() as cursor:
        # Planned for this very month: what is best for the last is not for the first.
        cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        cursor.execute(which, arguments)
        grants = [grant for (grant,) in cursor.fetchall()]
        cursor.execute(_ROWS, {"grants": grants, "month": arguments["month"]})
        names = [column.name for column in cursor.description or ()]
        rows = cursor.fetchall()
    return [TopUpMonth(**dict(zip(names, row, strict=True))) for row in rows]
