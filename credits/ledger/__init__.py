"""The ledger: the only code that changes credits.

Every verb takes `now` (an aware datetime) and counts in whole credits. A verb that refuses raises a
`LedgerError` and leaves everything as it was.
"""

from credits.ledger.balances import Balance, balance, balance_at
from credits.ledger.checking import check
from credits.ledger.clawbacks import claw_back, collect_shortfall
from credits.ledger.effects import Effect, observe
from credits.ledger.errors import (
    AlreadyLapsed,
    GrantEmpty,
    HoldClosed,
    IdempotencyConflict,
    LedgerError,
    OrganizationSuspended,
    OutOfCredits,
    TokenLimitReached,
    TooManyCredits,
    UnknownAction,
)
from credits.ledger.grants import adjust, grant
from credits.ledger.holds import capture, hold, release
from credits.ledger.overdue import settle_overdue
from credits.ledger.revoking import revoke_grant
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
    "Effect",
    "GrantEmpty",
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
    "grant",
    "hold",
    "next_refill_at",
    "observe",
    "refill",
    "refund",
    "release",
    "revoke_grant",
    "settle_overdue",
    "spend",
    "spend_batch",
    "week_start",
]
