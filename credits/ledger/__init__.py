"""The ledger: the only code that changes credits.

Every verb takes `now` (an aware datetime) and counts in whole credits. A verb that refuses raises a
`LedgerError` and leaves everything as it was.
"""

from credits.ledger.balances import Balance, balance, balance_at
from credits.ledger.checking import check
from credits.ledger.clawbacks import claw_back, collect_shortfall
from credits.ledger.errors import (
    AlreadyLapsed,
    HoldClosed,
    IdempotencyConflict,
    LedgerError,
    OrganizationSuspended,
    OutOfCredits,
    TokenLimitReached,
    TooManyCredits,
    UnknownAction,
)
from credits.ledger.foreseeing import Foreseen, GrantChange, foresee_adjustment, taking
from credits.ledger.grants import adjust, grant
from credits.ledger.holds import capture, hold, release, release_expired
from credits.ledger.spending import (
    Drawn,
    RefundResult,
    SpendItem,
    SpendLimit,
    SpendResult,
    refund,
    spend,
    spend_batch,
)
from credits.ledger.thresholds import change_threshold
from credits.ledger.weeks import change_bundle, next_refill_at, refill, week_start

__all__ = [
    "AlreadyLapsed",
    "Balance",
    "Drawn",
    "Foreseen",
    "GrantChange",
    "HoldClosed",
    "IdempotencyConflict",
    "LedgerError",
    "OrganizationSuspended",
    "OutOfCredits",
    "RefundResult",
    "SpendItem",
    "SpendLimit",
    "SpendResult",
    "TokenLimitReached",
    "TooManyCredits",
    "UnknownAction",
    "adjust",
    "balance",
    "balance_at",
    "capture",
    "change_bundle",
    "change_threshold",
    "check",
    "claw_back",
    "collect_shortfall",
    "foresee_adjustment",
    "grant",
    "hold",
    "next_refill_at",
    "refill",
    "refund",
    "release",
    "release_expired",
    "spend",
    "spend_batch",
    "taking",
    "week_start",
]
