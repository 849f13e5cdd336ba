"""Stripe's customers: one for each organization."""

from uuid import NAMESPACE_OID, uuid5

from stripe.params import CustomerCreateParams

from topups.gateway.client import client, gateway_errors


def create_customer(*, organization_id: str, name: str, email: str, replaces: str | None) -> str:
    """Make a customer for the organization with this public id, and return Stripe's id of it.

    The same arguments within a day give the same customer; `replaces` is the one that is gone.
    Raises `PaymentServiceUnavailable` or `PaymentServiceRefused`.
    """
    params: CustomerCreateParams = {
        "name": name,
        "email": email,
        "metadata": {"organization": organization_id},
    }
    key = uuid5(NAMESPACE_OID, f"customer {organization_id} {name} {email} {replaces}")
    with gateway_errors():
        return client().v1.customers.create(params, {"idempotency_key": str(key)}).id


def change_email(customer_id: str, email: str) -> None:
    """Have Stripe fill in this address at the next checkout, and send its receipts there.

    Raises `PaymentServiceUnavailable`, `UnknownCustomer` or another `PaymentServiceRefused`.
    """
    with gateway_errors():
        client().v1.customers.update(customer_id, {"email": email})
