"""When money went back: a line for each change, which no later news rewrites."""

from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from topups import accounting
from topups.models import MoneyBack, Purchase

# For `credits.ledger.audit`: the lines of each purchase add up to what its refunds and disputes
# say is gone.
_OFF = """
    SELECT coalesce(gone.purchase_id, posted.purchase_id) AS purchase_id,
        coalesce(gone.amount_minor, 0) AS gone, coalesce(posted.amount_minor, 0) AS posted
    FROM (
        SELECT purchase_id, sum(amount_minor) AS amount_minor FROM (
            SELECT purchase_id, amount_minor FROM topups_paymentrefund
            WHERE status IN ('pending', 'requires_action', 'succeeded')
            UNION ALL
            SELECT purchase_id, amount_minor FROM topups_dispute
            WHERE status = 'lost' OR (status = 'prevented' AND is_withdrawn)
        ) facts GROUP BY purchase_id
    ) gone
    FULL JOIN (
        SELECT purchase_id, sum(amount_minor) AS amount_minor FROM topups_moneyback
        GROUP BY purchase_id
    ) posted ON posted.purchase_id = gone.purchase_id
    WHERE coalesce(gone.amount_minor, 0) <> coalesce(posted.amount_minor, 0)
"""
CHECK = f"""
    SELECT format('purchase %s: %s went back, its lines say %s', purchase_id, gone, posted)
    FROM ({_OFF}) off
"""  # noqa: S608 our own text


def post(purchase: Purchase, gone_minor: int, *, now: datetime) -> None:
    """Write down by how much the money that is gone from a locked purchase changed, if it did."""
    posted_minor = purchase.money_back.aggregate(total=Sum("amount_minor"))["total"] or 0
    if gone_minor == posted_minor:
        return
    MoneyBack.objects.create(
        purchase=purchase,
        currency=purchase.currency,
        amount_minor=gone_minor - posted_minor,
        tax_minor=_tax(purchase, gone_minor) - _tax(purchase, posted_minor),
        posted_at=now,
    )


def _tax(purchase: Purchase, amount_minor: int) -> int:
    return accounting.tax_within(
        amount_minor, paid_minor=purchase.paid_minor or 0, tax_minor=purchase.tax_minor
    )


def missed() -> list[UUID]:
    """The purchases of which a program that knows no lines has left some out."""
    with connection.cursor() as cursor:
        cursor.execute(_OFF)
        return [purchase_id for purchase_id, *_ in cursor.fetchall()]
