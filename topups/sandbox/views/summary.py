"""A sale in lines of words and amounts."""

from topups.money import format_amount
from topups.sandbox.models import Session
from topups.sandbox.tax import COUNTRIES, RATES_PERCENT


def lines(session: Session) -> list[tuple[str, str]]:
    """Subtotal, discount and tax; none where the total says it all."""
    code = session.promotion_code
    if code is None and not session.automatic_tax:
        return []
    found = [("Subtotal", _amount(session, session.amount_subtotal))]
    if code is not None:
        found.append(
            (
                f"Discount ({code.code})",
                f"\N{MINUS SIGN}{_amount(session, session.amount_discount)}",
            )
        )
    if session.automatic_tax:
        found.append(_tax(session))
    return found


def _tax(session: Session) -> tuple[str, str]:
    if not session.country:
        return "Tax", "by country"
    percent = RATES_PERCENT.get(session.country, 0)
    label = f"Tax ({COUNTRIES.get(session.country, session.country)}, {percent}\N{NO-BREAK SPACE}%)"
    included = " included" if session.tax_behavior == "inclusive" else ""
    return label, f"{_amount(session, session.amount_tax)}{included}"


def _amount(session: Session, amount: int) -> str:
    return format_amount(amount, session.currency)
