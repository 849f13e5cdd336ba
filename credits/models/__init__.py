from credits.models.access import ApiKey
from credits.models.catalog import Action, Service, Wording
from credits.models.ledger import (
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_QUANTITY,
    MAX_REASON_LENGTH,
    MAX_REFERENCE_LENGTH,
    Clawback,
    Entry,
    Grant,
    Refund,
    Spend,
)
from credits.models.mail import Email
from credits.models.notices import Notice, NoticeDismissal, NoticeKind, NoticeOptOut
from credits.models.organizations import MAX_CREDITS, Membership, Organization
from credits.models.people import Activity, Invitation
from credits.models.tokens import TokenUse
from credits.models.totals import DayTotal, GrantMonth, TotalsMark
from credits.models.users import User
from credits.models.wallets import Wallet

__all__ = [
    "MAX_CREDITS",
    "MAX_IDEMPOTENCY_KEY_LENGTH",
    "MAX_QUANTITY",
    "MAX_REASON_LENGTH",
    "MAX_REFERENCE_LENGTH",
    "Action",
    "Activity",
    "ApiKey",
    "Clawback",
    "DayTotal",
    "Email",
    "Entry",
    "Grant",
    "GrantMonth",
    "Invitation",
    "Membership",
    "Notice",
    "NoticeDismissal",
    "NoticeKind",
    "NoticeOptOut",
    "Organization",
    "Refund",
    "Service",
    "Spend",
    "TokenUse",
    "TotalsMark",
    "User",
    "Wallet",
    "Wording",
]
