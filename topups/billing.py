"""An organization as Stripe knows it."""

from credits.models import Organization
from topups import gateway
from topups.models import BillingAccount, Purchase


def currency_of(organization: Organization) -> str:
    """The currency an organization buys in: staff's choice, or the default."""
    account = BillingAccount.objects.filter(pk=organization.pk).first()
    return (account or BillingAccount()).currency


def customer_of(purchase: Purchase, *, gone: str | None = None) -> str:
    """The id of the buying organization's customer at Stripe, made at its first purchase.

    Stripe's page is filled in with the buyer's email, and its receipts go there. `gone` is a
    customer Stripe does not know any more, deleted in its dashboard: another takes its place.
    Raises `gateway.GatewayError`.
    """
    account, _ = BillingAccount.objects.get_or_create(organization=purchase.organization)
    customer_id = account.stripe_customer_id
    if customer_id is None or customer_id == gone:
        return _make_customer(purchase, replaces=gone)
    email = purchase.buyer.email
    if account.email != email:
        try:
            gateway.change_email(customer_id, email)
        except gateway.UnknownCustomer:
            return _make_customer(purchase, replaces=customer_id)
        BillingAccount.objects.filter(pk=account.pk).update(email=email)
    return customer_id


def _make_customer(purchase: Purchase, *, replaces: str | None) -> str:
    organization, email = purchase.organization, purchase.buyer.email
    customer_id = gateway.create_customer(
        purchase_id=purchase.pk,
        organization_id=organization.public_id,
        name=organization.name,
        email=email,
        replaces=replaces,
    )
    # Of two that made one at the same moment, the first counts.
    BillingAccount.objects.filter(pk=organization.pk, stripe_customer_id=replaces).update(
        stripe_customer_id=customer_id, email=email
    )
    account = BillingAccount.objects.get(pk=organization.pk)
    assert account.stripe_customer_id is not None
    return account.stripe_customer_id
