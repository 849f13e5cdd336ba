"""Amounts of money as people read them."""

import re
from decimal import Decimal
from functools import cache
from math import floor, log10

# What plans are sold in, of all that Stripe charges in (https://docs.stripe.com/currencies).
_SOLD_IN = (
    "aed aud brl cad chf czk dkk eur gbp hkd huf ils inr jpy krw mxn myr nok nzd pln ron sek sgd "
    "thb usd zar"
)
CURRENCIES = frozenset(_SOLD_IN.split())

# The currencies whose minor unit is not a hundredth (https://docs.stripe.com/currencies).
_WITHOUT_DECIMALS = re.compile("bif|clp|djf|gnf|jpy|kmf|krw|mga|pyg|rwf|ugx|vnd|vuv|xaf|xof|xpf")
_WITH_THREE_DECIMALS = re.compile("bhd|jod|kwd|omr|tnd")
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£"}


def format_amount(amount_minor: int, currency: str) -> str:
    """The amount as a text: `format_amount(4900, "usd")` is `$49.00`.

    `amount_minor` counts the currency's smallest unit and `currency` is an ISO 4217 code in lower
    case, as Stripe has them.
    """
    decimals = decimals_of(currency)
    return _with_currency(f"{amount_minor / 10**decimals:,.{decimals}f}", currency)


def plain_amount(amount_minor: int, currency: str) -> str:
    """The amount as `parse_amount` reads it: `plain_amount(123456, "usd")` is `1234.56`."""
    return f"{exact_amount(amount_minor, currency):f}"


def exact_amount(amount_minor: int, currency: str) -> Decimal:
    """The amount in the currency itself: `exact_amount(-400, "usd")` is `Decimal("-4.00")`."""
    return Decimal(amount_minor).scaleb(-decimals_of(currency))


def parse_amount(text: str, currency: str) -> int:
    """The minor units that a person wrote as money: `parse_amount("49.00", "usd")` is 4900.

    Takes a whole amount, or one with as many decimals as the currency has. Nothing is guessed: for
    signs, separators of thousands and other decimals it raises a ValueError that says what to do.
    """
    decimals = decimals_of(currency)
    fraction = rf"(?:\.([0-9]{{{decimals}}}))?" if decimals else "()"
    written = re.fullmatch(rf"([0-9]{{1,12}}){fraction}", text)
    if written is None:
        examples = {0: "1000, without decimals", 2: "10 or 10.00", 3: "10 or 10.000"}
        raise ValueError(f"Write an amount in {currency.upper()} like {examples[decimals]}.")
    return int(written[1] + (written[2] or "0" * decimals))


def format_rate(amount_minor: int, credits: int, currency: str) -> str:
    """What one credit costs, to a hundredth of the smallest unit, or finer for two digits to tell.

    `format_rate(3600, 2000, "usd")` is `$0.018`, and `format_rate(50, 1_000_000, "usd")` is
    `$0.0000005`.
    """
    decimals = decimals_of(currency)
    rate = amount_minor / 10**decimals / credits
    finest = max(decimals + 2, 1 - floor(log10(rate)))
    whole, _, fraction = f"{rate:,.{finest}f}".partition(".")
    fraction = fraction.rstrip("0").ljust(decimals, "0")
    return _with_currency(f"{whole}.{fraction}" if fraction else whole, currency)


def _with_currency(amount: str, currency: str) -> str:
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{amount}" if symbol else f"{amount} {currency.upper()}"


@cache
def decimals_of(currency: str) -> int:
    """How many digits of an amount in this currency are behind the point."""
    if _WITHOUT_DECIMALS.fullmatch(currency):
        return 0
    return 3 if _WITH_THREE_DECIMALS.fullmatch(currency) else 2
