"""What a sale is taxed with: a small table in place of Stripe Tax."""

from dataclasses import dataclass

# The standard rates of a few countries, in percent; elsewhere nothing is due.
RATES_PERCENT = {"AT": 20, "CH": 8, "DE": 19, "ES": 21, "FR": 20, "GB": 20, "IE": 23, "NL": 21}
COUNTRIES = {
    "AT": "Austria",
    "CA": "Canada",
    "CH": "Switzerland",
    "DE": "Germany",
    "ES": "Spain",
    "FR": "France",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "JP": "Japan",
    "NL": "Netherlands",
    "US": "United States",
}


@dataclass(frozen=True)
class Taxed:
    """What is to be paid, in the smallest unit, and the tax in it."""

    amount_tax: int
    amount_total: int


def taxed(amount: int, country: str, behavior: str) -> Taxed:
    """Tax on an amount, half a unit rounded up; it comes on top unless the price includes it.

    >>> taxed(1000, "DE", "exclusive")
    Taxed(amount_tax=190, amount_total=1190)
    >>> taxed(1190, "DE", "inclusive")
    Taxed(amount_tax=190, amount_total=1190)
    """
    percent = RATES_PERCENT.get(country, 0)
    if behavior == "inclusive":
        return Taxed(_rounded(amount * percent, 100 + percent), amount)
    tax = _rounded(amount * percent, 100)
    return Taxed(tax, amount + tax)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def tax_id_type(country: str) -> str:
    """Stripe's name for the tax id of a business there (https://docs.stripe.com/billing/customer/tax-ids)."""
    names = {"CA": "ca_bn", "CH": "ch_vat", "GB": "gb_vat", "JP": "jp_cn", "US": "us_ein"}
    return names.get(country, "eu_vat")
