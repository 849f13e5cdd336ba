"""The books of finance in plain Python: a month at a time, from the entries alone."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC
from fractions import Fraction

from credits.models import Entry
from topups.models import Purchase

# What each kind of entry moves, and the order in which a month's movements are taken.
MOVES = {
    "grant": "sold",
    "spend": "recognized",
    "refund": "recognized",
    "expire": "lapsed",
    "revoke": "refunded",
    "restore": "refunded",
    "adjust": "adjusted",
}
ORDER = ("sold", "recognized", "lapsed", "refunded", "adjusted")


@dataclass
class Book:
    """One month in one currency, by name: what moved, with `opening` and `closing`."""

    credits: Counter = field(default_factory=Counter)
    minor: Counter = field(default_factory=Counter)


def write_books() -> dict[tuple[str, str], Book]:
    """Every month from the first entry to the last, `2026-11`, by currency."""
    months, moved = _read()
    books: defaultdict[tuple[str, str], Book] = defaultdict(Book)
    for purchase in Purchase.objects.filter(status="paid"):
        left = 0
        for month in months:
            book = books[month, purchase.currency]
            left = _write(book, purchase, left, moved[purchase.pk, month])
    return dict(books)


def _read() -> tuple[list[str], defaultdict]:
    moved: defaultdict = defaultdict(Counter)
    months = set()
    entries = Entry.objects.filter(grant__kind="top_up").select_related("grant")
    for entry in entries:
        month = f"{entry.created_at.astimezone(UTC):%Y-%m}"
        months.add(month)
        if entry.kind in MOVES:
            moved[entry.grant.purchase_id, month][MOVES[entry.kind]] += entry.credits
    return sorted(months), moved


def _write(book: Book, purchase: Purchase, left: int, moved: Counter) -> int:
    """Add a purchase's month to the book; the credits left of it after that."""
    book.credits["opening"] += left
    book.minor["opening"] += worth(purchase, left)
    for name in ORDER:
        change = moved[name]
        sign = 1 if name == "sold" else -1
        book.credits[name] += sign * change
        book.minor[name] += sign * (worth(purchase, left + change) - worth(purchase, left))
        left += change
    book.credits["closing"] += left
    book.minor["closing"] += worth(purchase, left)
    return left


def worth(purchase: Purchase, credits: int) -> int:
    """In whole minor units, what is behind the point cut off."""
    net_minor = purchase.paid_minor - purchase.tax_minor
    return int(Fraction(net_minor * credits, purchase.credits))
