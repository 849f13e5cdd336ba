"""What can be bought, what was bought, and what Stripe told us about it."""

from topups.models.accounting import ClosedMonth, MoneyBack, MonthTotal, MonthTotalsMark
from topups.models.events import Reconciliation, StripeEvent
from topups.models.money_back import Dispute, PaymentRefund
from topups.models.plans import BillingAccount, Plan, Price, validate_currency
from topups.models.purchases import Purchase, PurchaseStatus

__all__ = [
    "BillingAccount",
    "ClosedMonth",
    "Dispute",
    "MoneyBack",
    "MonthTotal",
    "MonthTotalsMark",
    "PaymentRefund",
    "Plan",
    "Price",
    "Purchase",
    "PurchaseStatus",
    "Reconciliation",
    "StripeEvent",
    "validate_currency",
]
