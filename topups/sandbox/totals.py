"""What a session adds up to, and the address that decides its tax."""

from dataclasses import dataclass

from topups.sandbox.models import PromotionCode, Session
from topups.sandbox.tax import taxed


@dataclass(frozen=True)
class Billing:
    """What the customer says on the payment page; a country of "" is none."""

    name: str = ""
    email: str = ""
    country: str = ""
    postal_code: str = ""
    tax_id: str = ""


# Fills in the form, so that a payment takes one click; no tax is due there.
SAMPLE = Billing(
    name="Jenny Rosen", email="jenny.rosen@example.com", country="US", postal_code="94103"
)


def asks_for_address(session: Session) -> bool:
    return session.automatic_tax or session.billing_address_collection == "required"


def prefilled(session: Session) -> Billing:
    """What the page knows already, and sample values for what else it must ask."""
    sample = SAMPLE if asks_for_address(session) else Billing(email=SAMPLE.email)
    has_address = bool(session.country)
    return Billing(
        name=session.billing_name or sample.name,
        email=session.billing_email or sample.email,
        country=session.country if has_address else sample.country,
        postal_code=session.postal_code if has_address else sample.postal_code,
        tax_id=session.tax_id,
    )


def bill_to(session: Session, billing: Billing) -> None:
    """Take the customer's details over and tax the session where they are; it is not saved."""
    session.billing_name = billing.name
    session.billing_email = billing.email
    session.country = billing.country
    session.postal_code = billing.postal_code
    session.tax_id = billing.tax_id
    recalculate(session)


def recalculate(session: Session) -> None:
    """Bring discount, tax and total of a session up to date; it is not saved."""
    code = session.promotion_code
    session.amount_discount = discount(code, session.amount_subtotal) if code else 0
    amount = session.amount_subtotal - session.amount_discount
    country = session.country if session.automatic_tax else ""
    due = taxed(amount, country, session.tax_behavior)
    session.amount_tax = due.amount_tax
    session.amount_total = due.amount_total


def discount(code: PromotionCode, amount: int) -> int:
    """What a code takes off an amount, half a unit rounded up, and never more than all of it."""
    if code.percent_off is not None:
        return (2 * amount * code.percent_off + 100) // 200
    return min(code.amount_off or 0, amount)
