"""What time alone has changed, written down for organizations that nobody touches."""

import logging
from collections.abc import Iterator
from datetime import datetime

from django.db import transaction

from credits.ledger import database
from credits.models import Grant, Spend

logger = logging.getLogger(__name__)


def settle_overdue(*, now: datetime) -> Iterator[int]:
    """Release the holds past their time and let lapse what staff gave or was bought until then.

    Goes organization by organization and yields each one's id; one that fails is logged, and the
    others are settled all the same. Weekly bundles lapse with the refill.

    >>> list(ledger.settle_overdue(now=now))
    [17, 42]
    """
    for organization_id in _overdue(now):
        try:
            with transaction.atomic():
                database.open_wallet(organization_id, now)
        except Exception:
            logger.exception("What is overdue of organization %s was not settled", organization_id)
        else:
            yield organization_id


def _overdue(now: datetime) -> list[int]:
    """The organizations with an overdue hold or grant, in the order in which wallets are locked."""
    holds = Spend.objects.filter(status=Spend.Status.HELD, hold_expires_at__lte=now)
    grants = Grant.objects.filter(is_open=True, expires_at__lte=now).exclude(kind=Grant.Kind.WEEKLY)
    found = (
        holds.order_by()
        .values_list("organization_id")
        .union(grants.order_by().values_list("organization_id"))
    )
    return sorted(organization_id for (organization_id,) in found)
