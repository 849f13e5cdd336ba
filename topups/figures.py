"""Figures about all payments together, for the people inside; nothing here changes a row."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, Q, QuerySet, Sum

from credits.figures import Period
from topups.checkout import MAX_CHECK_AFTER, SESSION_LIFETIME
from topups.models import Dispute, PaymentRefund, Purchase, StripeEvent

# Stripe has ended the session by then, and the sweep has asked for it.
PENDING_AT_MOST = SESSION_LIFETIME + MAX_CHECK_AFTER
# The slowest bank debits take two weeks (https://docs.stripe.com/payments/sepa-debit).
PROCESSING_AT_MOST = timedelta(days=15)

# Of each currency one number for each period; of money that is minor units.
ByCurrency = dict[str, list[int]]


def paid(periods: Sequence[Period]) -> ByCurrency:
    """What customers paid, on the day it was paid, whether or not it went back later."""
    return _by_currency(_sales(), "currency", "paid_at", periods, _sum("paid_minor"))


def payments(periods: Sequence[Period]) -> ByCurrency:
    """How many purchases were paid."""
    return _by_currency(_sales(), "currency", "paid_at", periods, _count)


def refunded(periods: Sequence[Period]) -> ByCurrency:
    """What was refunded, on the day it was asked for."""
    given = PaymentRefund.objects.filter(status__in=PaymentRefund.GIVEN)
    return _by_currency(given, "purchase__currency", "created_at", periods, _sum("amount_minor"))


def withdrawn(periods: Sequence[Period]) -> ByCurrency:
    """What banks have taken back for disputes, on the day the dispute began."""
    taken = Dispute.objects.filter(is_withdrawn=True)
    return _by_currency(taken, "purchase__currency", "created_at", periods, _sum("amount_minor"))


def stuck(*, now: datetime) -> QuerySet[Purchase]:
    """Purchases whose checks fail, or that should have been decided long ago."""
    late = Q(status=Purchase.Status.PENDING, created_at__lt=now - PENDING_AT_MOST)
    slow = Q(status=Purchase.Status.PROCESSING, created_at__lt=now - PROCESSING_AT_MOST)
    undecided = Purchase.objects.filter(next_check_at__isnull=False)
    return undecided.filter(Q(failed_checks__gt=0) | late | slow)


def failed_events() -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(status=StripeEvent.Status.FAILED)


def disputes_to_answer() -> QuerySet[Dispute]:
    return Dispute.objects.filter(status__endswith="needs_response")


def _sales() -> QuerySet[Purchase]:
    return Purchase.objects.filter(status=Purchase.Status.PAID)


def _sum(field: str) -> Callable[[Q], Aggregate]:
    return lambda within: Sum(field, filter=within, default=0)


def _count(within: Q) -> Aggregate:
    # Of a column that the index of sales has.
    return Count("paid_at", filter=within)


def _by_currency(
    rows: QuerySet[Any],
    currency: str,
    moment: str,
    periods: Sequence[Period],
    total: Callable[[Q], Aggregate],
) -> ByCurrency:
    """The total of each period by the rows' `currency`, told to a period by their `moment`."""
    totals = {f"period_{n}": total(period.during(moment)) for n, period in enumerate(periods)}
    all_of_them = Period.around(periods).during(moment)
    found = rows.filter(all_of_them).order_by().values_list(currency).annotate(**totals)
    return {code: list(numbers) for code, *numbers in sorted(found)}
