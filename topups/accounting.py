"""What the credits of a top-up are worth, and how a month's movements take it away.

A credit costs what was paid for it, less tax (its *cost basis*). What is neither used nor gone is
deferred: money taken for something still owed. Each movement is worth the deferred money it takes
away, so that nothing is lost to rounding: whatever happens, opening + sold - recognized - lapsed -
refunded - adjusted = closing, and a top-up that is used up has recognized its price to the last
minor unit.
"""

from collections.abc import Mapping
from decimal import Decimal

# In the order in which a month's movements are taken, and which way each goes.
MOVEMENTS = {"sold": 1, "recognized": -1, "lapsed": -1, "refunded": -1, "adjusted": -1}
# Of how many digits behind the point the price of one credit is told beyond those of its currency.
RATE_DIGITS = 8


def worth(credits: int, *, net_minor: int, amount: int) -> int:
    """What so many of a top-up's `amount` credits cost, in whole minor units, rounded toward zero.

    `net_minor` is what was paid for all of them, less tax: 0 for a free top-up, whose credits are
    worth nothing.

    >>> [worth(left, net_minor=1000, amount=3) for left in (3, 2, 1, 0)]
    [1000, 666, 333, 0]
    """
    whole = net_minor * abs(credits) // amount
    return whole if credits >= 0 else -whole


def roll_forward(
    opening: int, moved: Mapping[str, int], *, net_minor: int, amount: int
) -> dict[str, int]:
    """What one top-up's month is worth, in minor units: `opening`, each movement, and `closing`.

    `opening` credits were left at its start, and so many `moved` by the names in `MOVEMENTS`.

    >>> moved = {"sold": 3, "recognized": 1, "lapsed": 0, "refunded": 1, "adjusted": 0}
    >>> roll_forward(0, moved, net_minor=1000, amount=3)
    {'opening': 0, 'sold': 1000, 'recognized': 334, 'lapsed': 0, 'refunded': 333, 'adjusted': 0, \
'closing': 333}
    """
    left, deferred = opening, worth(opening, net_minor=net_minor, amount=amount)
    money = {"opening": deferred}
    for name, direction in MOVEMENTS.items():
        left += direction * moved[name]
        before, deferred = deferred, worth(left, net_minor=net_minor, amount=amount)
        money[name] = direction * (deferred - before)
    return {**money, "closing": deferred}


def tax_within(amount_minor: int, *, paid_minor: int, tax_minor: int) -> int:
    """How much tax goes back with so much of a payment; what is beyond the payment has none.

    >>> tax_within(595, paid_minor=1190, tax_minor=190)
    95
    """
    if not paid_minor:
        return 0
    return tax_minor * min(amount_minor, paid_minor) // paid_minor


def cost_basis(*, net_minor: int, amount: int, decimals: int) -> Decimal:
    """What one credit cost, in the currency itself, whose amounts have so many `decimals`.

    >>> str(cost_basis(net_minor=1000, amount=300, decimals=2))
    '0.0333333333'
    """
    step = Decimal(1).scaleb(-decimals - RATE_DIGITS)
    return (Decimal(net_minor).scaleb(-decimals) / amount).quantize(step)
