from credits.models.access import ApiKey
from credits.models.catalog import Action, Service, Wording
from credits.models.ledger import Entry, Grant, Refund, Spend, Wallet
from credits.models.organizations import Membership, Organization
from credits.models.users import User

__all__ = [
    "Action",
    "ApiKey",
    "Entry",
    "Grant",
    "Membership",
    "Organization",
    "Refund",
    "Service",
    "Spend",
    "User",
    "Wallet",
    "Wording",
]
