"""What Stripe would keep. It lives in the database so that every process sees the same."""

from topups.sandbox.models.checkout import Customer, Invoice, PromotionCode, Session
from topups.sandbox.models.delivery import Delivery, Event, IdempotencyKey, Switch
from topups.sandbox.models.ids import new_event_id, new_id, new_session_id
from topups.sandbox.models.payments import Dispute, Payment, Refund

__all__ = [
    "Customer",
    "Delivery",
    "Dispute",
    "Event",
    "IdempotencyKey",
    "Invoice",
    "Payment",
    "PromotionCode",
    "Refund",
    "Session",
    "Switch",
    "new_event_id",
    "new_id",
    "new_session_id",
]
