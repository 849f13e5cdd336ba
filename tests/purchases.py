"""Purchases that are paid, for tests of what comes after."""

import uuid
from datetime import datetime

from credits.models import Organization, User
from topups.models import Plan, Purchase


def paid_purchase(organization: Organization, credits: int, *, now: datetime) -> Purchase:
    """A paid purchase of `credits` whose grant is still to be given."""
    purchase_id = uuid.uuid4()
    return Purchase.objects.create(
        id=purchase_id,
        organization=organization,
        buyer=User.objects.get_or_create(email="buyer@example.com")[0],
        plan=Plan.objects.first(),
        credits=credits,
        amount_minor=1_000,
        paid_minor=1_000,
        currency="usd",
        status=Purchase.Status.PAID,
        created_at=now,
        paid_at=now,
        stripe_session_id=f"cs_test_{purchase_id}",
    )
