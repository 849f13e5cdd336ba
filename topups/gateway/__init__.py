"""Our side of Stripe: the only package that knows the SDK.

It returns plain, typed data, and turns the SDK's errors into its own. Never call it inside a
transaction: a slow network would hold the locks.
"""

from topups.gateway.checkout import (
    CheckoutSession,
    Documents,
    PaymentState,
    create_checkout_session,
    find_documents,
    list_checkout_sessions,
    retrieve_checkout_session,
    session_of_payment,
)
from topups.gateway.client import (
    GatewayError,
    PaymentServiceFailed,
    PaymentServiceRefused,
    PaymentServiceUnavailable,
    UnknownCustomer,
    UnknownSession,
)
from topups.gateway.customers import change_email, create_customer
from topups.gateway.money_back import (
    Dispute,
    Refund,
    create_refund,
    list_disputes,
    list_refunds,
    retrieve_dispute,
)
from topups.gateway.webhooks import (
    Fact,
    InvalidWebhook,
    WebhookEvent,
    fact_of,
    verify_webhook,
)

__all__ = [
    "CheckoutSession",
    "Dispute",
    "Documents",
    "Fact",
    "GatewayError",
    "InvalidWebhook",
    "PaymentServiceFailed",
    "PaymentServiceRefused",
    "PaymentServiceUnavailable",
    "PaymentState",
    "Refund",
    "UnknownCustomer",
    "UnknownSession",
    "WebhookEvent",
    "change_email",
    "create_checkout_session",
    "create_customer",
    "create_refund",
    "fact_of",
    "find_documents",
    "list_checkout_sessions",
    "list_disputes",
    "list_refunds",
    "retrieve_checkout_session",
    "retrieve_dispute",
    "session_of_payment",
    "verify_webhook",
]
