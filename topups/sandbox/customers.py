"""What happens to customers."""

from datetime import datetime
from typing import Any

from django.db import transaction

from topups.sandbox.errors import Missing
from topups.sandbox.models import Customer
from topups.sandbox.params import merged


def create(given: dict[str, Any], *, now: datetime) -> Customer:
    """A new customer from checked parameters."""
    return Customer.objects.create(
        name=given.get("name", ""),
        email=given.get("email", ""),
        metadata=merged({}, given.get("metadata", {})),
        created_at=now,
    )


@transaction.atomic
def update(customer_id: str, given: dict[str, Any]) -> Customer:
    """Change what is given. Raises Missing for a customer that is unknown or deleted."""
    customer = find(customer_id)
    if customer.deleted_at:
        raise _missing(customer_id)
    customer.name = given.get("name", customer.name)
    customer.email = given.get("email", customer.email)
    customer.metadata = merged(customer.metadata, given.get("metadata", {}))
    customer.save()
    return customer


@transaction.atomic
def find(customer_id: str) -> Customer:
    """The customer, deleted or not, locked when in a transaction. Raises Missing."""
    try:
        return Customer.objects.select_for_update().get(pk=customer_id)
    except Customer.DoesNotExist as error:
        raise _missing(customer_id) from error


@transaction.atomic
def delete(customer_id: str, *, now: datetime) -> Customer:
    """Delete a customer for good; it stays as a tombstone. Raises Missing."""
    customer = find(customer_id)
    if not customer.deleted_at:
        customer.deleted_at = now
        customer.save()
    return customer


def _missing(customer_id: str) -> Missing:
    return Missing("customer", customer_id, param="id")
