from credits.models.access import ApiKey
from credits.models.catalog import Action, Service, Wording
from credits.models.ledger import (
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_QUANTITY,
    MAX_REFERENCE_LENGTH,
    Clawback,
    Entry,
    Grant,
    Refund,
    Spend,
    Wallet,
)
from credits.models.mail import Email
from credits.models.organizations import Membership, Organization
from credits.models.tokens import TokenUse
from credits.models.users import User

__all__ = [
    "MAX_IDEMPOTENCY_KEY_LENGTH",
    "MAX_QUANTITY",
    "MAX_REFERENCE_LENGTH",
    "Action",
    "ApiKey",
    "Clawback",
    "Email",
    "Entry",
    "Grant",
    "Membership",
    "Organization",
    "Refund",
    "Service",
    "Spend",
    "TokenUse",
    "User",
    "Wallet",
    "Wording",
]
