"""What the dashboard tells about payments."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from credits.admin import dashboard
from credits.admin.dashboard import (
    Look,
    Row,
    Table,
    Tile,
    counting_tile,
    days,
    list_url,
    row,
)
from credits.figures import Period
from topups import figures
from topups.figures import ByCurrency
from topups.models import PaymentRefund
from topups.money import format_amount

NOTE = (
    "Paid is with tax and less discounts. A refund counts on the day it was asked for, and what a "
    "bank took back on the day the dispute began."
)


@dataclass(frozen=True, slots=True)
class Flow:
    """Money in one direction, and where its rows are."""

    name: str
    model: str
    filters: Mapping[str, object]
    moment: str
    totals: Callable[[Sequence[Period]], ByCurrency]

    @property
    def permission(self) -> str:
        return self.model.replace(".", ".view_")

    def urls(self, currency: str, periods: Sequence[Period]) -> list[str]:
        return [
            list_url(self.model, **self.filters, currency=currency, **days(self.moment, period))
            for period in periods
        ]


PAID = Flow("Paid", "topups.purchase", {"status__exact": "paid"}, "paid_at", figures.paid)
BACK = (
    Flow(
        "Refunded",
        "topups.paymentrefund",
        {"status__in": ",".join(PaymentRefund.GIVEN)},
        "created_at",
        figures.refunded,
    ),
    Flow(
        "Taken back by banks",
        "topups.dispute",
        {"is_withdrawn__exact": 1},
        "created_at",
        figures.withdrawn,
    ),
)


def tiles(look: Look) -> Iterator[Tile]:
    if look.may("topups.view_stripeevent"):
        url, failed = (
            list_url("topups.stripeevent", status__exact="failed"),
            figures.failed_events(),
        )
        yield counting_tile("Failed events", failed, "Of Stripe, tried again", "danger", url)
    if look.may("topups.view_purchase"):
        url, stuck = list_url("topups.purchase", stuck="yes"), figures.stuck(now=look.now)
        yield counting_tile("Stuck purchases", stuck, "Undecided for too long", "danger", url)
    if look.may("topups.view_dispute"):
        url, waiting = list_url("topups.dispute", needs_answer="yes"), figures.disputes_to_answer()
        yield counting_tile("Disputes to answer", waiting, "In Stripe's dashboard", "warning", url)


def tables(look: Look) -> Iterator[Table]:
    if look.may(PAID.permission):
        yield Table("Revenue", NOTE, list(_revenue(look)))


def _revenue(look: Look) -> Iterator[Row]:
    paid, payments = figures.paid(look.periods), figures.payments(look.periods)
    back = [(flow, flow.totals(look.periods)) for flow in BACK if look.may(flow.permission)]
    nothing = [0] * len(look.periods)
    for currency in sorted(set(paid).union(*(totals for _, totals in back))):
        gross, urls = paid.get(currency, nothing), PAID.urls(currency, look.periods)
        shown = partial(format_amount, currency=currency)
        yield row(f"Paid in {currency.upper()}", gross, urls, shown=shown)
        yield row("Purchases", payments.get(currency, nothing), urls, is_part=True)
        for flow, totals in back:
            urls, numbers = flow.urls(currency, look.periods), totals.get(currency, nothing)
            if any(numbers):
                yield row(flow.name, numbers, urls, is_part=True, shown=shown)


dashboard.TILES.append(tiles)
dashboard.TABLES.append(tables)
