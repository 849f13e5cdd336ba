"""What happens to Checkout Sessions."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from topups.sandbox import customers, events, payments, resources
from topups.sandbox.errors import Missing, Refused, no_such
from topups.sandbox.models import Customer, Invoice, Payment, Session
from topups.sandbox.params import merged
from topups.sandbox.totals import Billing, bill_to, prefilled

LIFETIME = timedelta(hours=24)
MIN_LIFETIME = timedelta(minutes=30)
# Stripe's least charge in US dollars (https://docs.stripe.com/currencies).
MIN_AMOUNT_MINOR = 50


class NotOpen(Refused):
    """The session is complete or expired, so this cannot be done with it."""

    def __init__(self, session: Session, verb: str) -> None:
        super().__init__(
            f'Only Checkout Sessions with a status in ["open"] can be {verb}. '
            f"This Checkout Session has a status of `{session.status}`."
        )


@transaction.atomic
def create(given: dict[str, Any], *, now: datetime) -> Session:
    """Open a session from checked parameters. Raises Refused."""
    (item,) = given["line_items"]
    price = item["price_data"]
    customer = _customer(given)
    session = Session(
        currency=price["currency"],
        description=price["product_data"]["name"],
        tax_behavior=price["tax_behavior"],
        quantity=item["quantity"],
        amount_subtotal=price["unit_amount"] * item["quantity"],
        customer=customer,
        metadata=merged({}, given["metadata"]),
        payment_method_types=given["allowed_payment_method_types"],
        automatic_tax=_is_enabled(given, "automatic_tax"),
        tax_id_collection=_is_enabled(given, "tax_id_collection"),
        invoice_creation=_is_enabled(given, "invoice_creation"),
        invoice_data=given.get("invoice_creation", {}).get("invoice_data", {}),
        customer_update=given.get("customer_update", {}),
        payment_intent_data=given.get("payment_intent_data", {}),
        created_at=now,
        expires_at=_expiry(given, now),
        **{name: given[name] for name in _KEPT_PARAMS},
    )
    _check_customer_update(session)
    bill_to(session, _known_billing(session))
    check_amount(session)
    session.save()
    return session


_KEPT_PARAMS = (
    "customer_email",
    "client_reference_id",
    "success_url",
    "cancel_url",
    "allow_promotion_codes",
    "billing_address_collection",
)


def _is_enabled(given: dict[str, Any], name: str) -> bool:
    return bool(given.get(name, {}).get("enabled", False))


def _customer(given: dict[str, Any]) -> Customer | None:
    if "customer" not in given:
        return None
    try:
        customer = customers.find(given["customer"])
    except Missing:
        customer = None
    if customer is None or customer.deleted_at:
        raise Refused(
            no_such("customer", given["customer"]), code="resource_missing", param="customer"
        )
    return customer


def _expiry(given: dict[str, Any], now: datetime) -> datetime:
    if "expires_at" not in given:
        return now + LIFETIME
    expires_at = datetime.fromtimestamp(given["expires_at"], UTC)
    if not now + MIN_LIFETIME <= expires_at + timedelta(seconds=1):
        raise Refused(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
            param="expires_at",
        )
    if expires_at > now + LIFETIME:
        raise Refused(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return expires_at


def _check_customer_update(session: Session) -> None:
    """What a page asks an existing customer must be allowed to be saved with them."""
    if session.customer is None:
        return
    update = session.customer_update
    if session.tax_id_collection and update.get("name") != "auto":
        raise Refused(
            "Tax ID collection requires updating business name on the customer. To enable tax ID "
            "collection for an existing customer, please set `customer_update[name]` to `auto`."
        )
    has_address = bool(session.customer.country)
    if session.automatic_tax and not has_address and update.get("address") != "auto":
        raise Refused(
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add "
            "a valid address to the Customer or set either `customer_update[address]` to 'auto' "
            "or `customer_update[shipping]` to 'auto' to save the address entered in Checkout to "
            "the Customer.",
            code="customer_tax_location_invalid",
        )


def _known_billing(session: Session) -> Billing:
    customer = session.customer
    if customer is None:
        return Billing(email=session.customer_email)
    return Billing(
        name=customer.name,
        email=customer.email,
        country=customer.country,
        postal_code=customer.postal_code,
    )


def check_amount(session: Session) -> None:
    """Nothing is free, and so little cannot be charged. Raises Refused."""
    if 0 < session.amount_total < MIN_AMOUNT_MINOR:
        raise Refused(
            "The Checkout Session's total amount due must add up to at least "
            f"{MIN_AMOUNT_MINOR} of the smallest unit of {session.currency}.",
            code="amount_too_small",
            param="line_items",
        )


@transaction.atomic
def find(session_id: str, *, now: datetime) -> Session:
    """The session, locked when in a transaction. Raises Missing."""
    try:
        session = Session.objects.select_for_update().get(pk=session_id)
    except Session.DoesNotExist as error:
        raise Missing("checkout.session", session_id, param="session") from error
    if session.status == Session.Status.OPEN and session.expires_at <= now:
        _expire(session, now)
    return session


def expire_due(*, now: datetime) -> None:
    """End the open sessions whose time is over, as Stripe does by itself."""
    due = Session.objects.filter(status=Session.Status.OPEN, expires_at__lte=now)
    for session_id in due.values_list("pk", flat=True):
        find(session_id, now=now)


def find_open(session_id: str, *, now: datetime, verb: str = "paid") -> Session:
    """An open session, locked when in a transaction. Raises NotOpen and Missing."""
    session = find(session_id, now=now)
    if session.status != Session.Status.OPEN:
        raise NotOpen(session, verb)
    return session


@transaction.atomic
def expire(session_id: str, *, now: datetime) -> Session:
    """End an open session. Raises NotOpen and Missing."""
    session = find_open(session_id, now=now, verb="expired")
    _expire(session, now)
    return session


def _expire(session: Session, now: datetime) -> None:
    session.status = Session.Status.EXPIRED
    session.save()
    events.emit("checkout.session.expired", resources.session(session), now=now)


@transaction.atomic
def enter_billing(session_id: str, billing: Billing, *, now: datetime) -> Session:
    """Take over what the customer says on the page, and tax the session where they are.

    Raises Refused, and among it NotOpen and Missing.
    """
    session = find_open(session_id, now=now)
    bill_to(session, billing)
    check_amount(session)
    session.save()
    return session


@transaction.atomic
def pay(
    session_id: str, card_number: str, *, now: datetime, billing: Billing | None = None
) -> Session:
    """Pay with a test card; without `billing` the page's prefilled values count.

    Raises payments.CardDeclined, NotOpen and Missing.
    """
    session = find_open(session_id, now=now)
    payments.check_card(card_number)
    return _complete(session, billing, Payment.Method.CARD, now)


@transaction.atomic
def pay_by_bank(session_id: str, *, now: datetime, billing: Billing | None = None) -> Session:
    """Order a bank debit, which the bank answers days later. Raises NotOpen and Missing."""
    session = find_open(session_id, now=now)
    return _complete(session, billing, Payment.Method.SEPA_DEBIT, now)


@transaction.atomic
def complete_free(session_id: str, *, now: datetime, billing: Billing | None = None) -> Session:
    """Complete an order that costs nothing. Raises Refused when it does, NotOpen and Missing."""
    session = find_open(session_id, now=now)
    if session.amount_total:
        raise Refused("This order is not free.")
    return _complete(session, billing, None, now)


def _complete(
    session: Session, billing: Billing | None, method: Payment.Method | None, now: datetime
) -> Session:
    bill_to(session, billing or prefilled(session))
    _check_method(session, method)
    session.status = Session.Status.COMPLETE
    if method is None or not session.amount_total:
        session.payment_status = Session.PaymentStatus.FREE
    else:
        session.payment = payments.create(session, method, now=now)
        if session.payment.status == Payment.Status.SUCCEEDED:
            session.payment_status = Session.PaymentStatus.PAID
    session.save()
    _update_customer(session)
    issue_invoice(session, now=now)
    events.emit("checkout.session.completed", resources.session(session), now=now)
    return session


def _check_method(session: Session, method: Payment.Method | None) -> None:
    if method is not None and method not in session.payment_method_types:
        raise Refused(f"This order cannot be paid by {method.label.lower()}.")


def _update_customer(session: Session) -> None:
    customer = session.customer
    if customer is None or customer.deleted_at:
        return
    if session.customer_update.get("name") == "auto" and session.billing_name:
        customer.name = session.billing_name
    if session.customer_update.get("address") == "auto" and session.country:
        customer.country, customer.postal_code = session.country, session.postal_code
    customer.save(update_fields=("name", "country", "postal_code"))


def issue_invoice(session: Session, *, now: datetime) -> None:
    """Write the invoice that was asked for, once the session is paid."""
    if session.invoice_creation and session.payment_status != Session.PaymentStatus.UNPAID:
        Invoice.objects.create(session=session, created_at=now)
