"""Amounts of money as people read them."""

# The currencies whose minor unit is not a hundredth (https://docs.stripe.com/currencies).
_DECIMALS = {
    **dict.fromkeys(
        "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split(),
        0,
    ),
    **dict.fromkeys("bhd jod kwd omr tnd".split(), 3),
}
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£"}


def format_amount(amount_minor: int, currency: str) -> str:
    """The amount in words of money: `format_amount(4900, "usd")` is `$49.00`.

    `amount_minor` counts the currency's smallest unit and `currency` is an ISO 4217 code in lower
    case, as Stripe has them.
    """
    decimals = _DECIMALS.get(currency, 2)
    amount = f"{amount_minor / 10**decimals:,.{decimals}f}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{amount}" if symbol else f"{amount} {currency.upper()}"
