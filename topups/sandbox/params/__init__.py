"""What a request may say, checked as Stripe checks it."""

from topups.sandbox.params.checkout import CreateSession, ListSessions, WriteCustomer
from topups.sandbox.params.fields import Expandable, merged
from topups.sandbox.params.parsing import check, parse
from topups.sandbox.params.payments import CreateRefund, ListByPayment

__all__ = [
    "CreateRefund",
    "CreateSession",
    "Expandable",
    "ListByPayment",
    "ListSessions",
    "WriteCustomer",
    "check",
    "merged",
    "parse",
]
