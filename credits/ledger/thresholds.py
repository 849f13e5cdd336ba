"""Below how many credits an organization wants to be told."""

from datetime import datetime

from django.db import transaction

from credits.ledger import database
from credits.models import Organization


def change_threshold(organization: Organization, credits: int | None, *, now: datetime) -> None:
    """Tell the organization when a spend leaves less than `credits`; None tells nothing.

    A low balance that is not below the new threshold is low no more; one that now is counts from
    the next spend. The database refuses what is not 1 to 1,000,000,000 (IntegrityError).

    >>> ledger.change_threshold(acme, 100, now=now)
    """
    with transaction.atomic():
        moment = database.open_wallet(organization.pk, now)
        organization.low_balance_credits = credits
        organization.save(update_fields=["low_balance_credits"])
        database.value("ledger_review_low", organization=organization.pk, now=moment)
