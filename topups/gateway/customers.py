"""Stripe's customers: one for each organization."""

from uuid import UUID

from stripe.params import CustomerCreateParams

from topups.gateway.client import UnknownCustomer, client, gateway_errors


def create_customer(
    *, purchase_id: UUID, organization_id: str, name: str, email: str, replaces: str | None
) -> str:
    """Make a customer for the organization with this public id, and return Stripe's id of it.

    For one purchase it is made once within a day; `replaces` is the one that is gone. Raises
    `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    params: CustomerCreateParams = {
        "name": name,
        "email": email,
        "metadata": {"organization": organization_id},
    }
    key = f"customer-{purchase_id}-{replaces}"
    with gateway_errors():
        return client().v1.customers.create(params, {"idempotency_key": key}).id


def change_email(customer_id: str, email: str) -> None:
    """Have Stripe fill in this address at the next checkout, and send its receipts there.

    Raises `PaymentServiceUnavailable`, `UnknownCustomer` or another `PaymentServiceRefused`.
    """
    with gateway_errors(missing=UnknownCustomer):
        client().v1.customers.update(customer_id, {"email": email})
