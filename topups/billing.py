"""An organization as Stripe knows it."""

from credits.models import Organization
from topups import gateway
from topups.models import BillingAccount


def currency_of(organization: Organization) -> str:
    """The currency an organization buys in: staff's choice, or the default."""
    account = BillingAccount.objects.filter(pk=organization.pk).first()
    return (account or BillingAccount()).currency


def customer_of(organization: Organization, *, email: str) -> str:
    """The id of the organization's customer at Stripe, made at its first purchase.

    Stripe's page is filled in with `email`, and its receipts go there. Raises
    `gateway.GatewayError`, `gateway.UnknownCustomer` for one that was deleted in the dashboard.
    """
    account, _ = BillingAccount.objects.get_or_create(organization=organization)
    if account.stripe_customer_id is None:
        return _make_customer(organization, email, replaces=None)
    if account.email != email:
        gateway.change_email(account.stripe_customer_id, email)
        BillingAccount.objects.filter(pk=account.pk).update(email=email)
    return account.stripe_customer_id


def replace_customer(organization: Organization, *, email: str) -> str:
    """A new customer for an organization whose customer Stripe no longer has; its id.

    Raises `gateway.GatewayError`.
    """
    gone = BillingAccount.objects.get(pk=organization.pk).stripe_customer_id
    BillingAccount.objects.filter(pk=organization.pk, stripe_customer_id=gone).update(
        stripe_customer_id=None
    )
    return _make_customer(organization, email, replaces=gone)


def _make_customer(organization: Organization, email: str, *, replaces: str | None) -> str:
    customer_id = gateway.create_customer(
        organization_id=organization.public_id,
        name=organization.name,
        email=email,
        replaces=replaces,
    )
    # Of two that made one at the same moment, the first counts.
    BillingAccount.objects.filter(pk=organization.pk, stripe_customer_id=None).update(
        stripe_customer_id=customer_id, email=email
    )
    account = BillingAccount.objects.get(pk=organization.pk)
    assert account.stripe_customer_id is not None
    return account.stripe_customer_id
