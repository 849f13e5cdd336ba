"""Credits itself: `ledger.spend`, `POST /api/v1/spends`, and the stored function behind both."""

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db.models import Sum
from django.utils import timezone

from credits import access, ledger
from credits.models import Action, Organization, Service, Spend

ACTION = "peers.spend"
PLENTY = 1_000_000
BATCH = 1_000


def set_up(count: int) -> None:
    """In a database that has the tables."""
    Action.objects.create(service=Service.objects.create(name="Peers"), code=ACTION, name="Spend")
    Organization.objects.bulk_create(
        [Organization(name=f"Organization {i}", weekly_credits=PLENTY) for i in range(count)],
        batch_size=BATCH,
    )
    _give_the_weeks_bundle(count)


def _give_the_weeks_bundle(count: int) -> None:
    """The first spend of each writes it down, so that no measured one has to."""
    everybody = wallets(count)
    for first in range(0, count, BATCH):
        items = [ledger.SpendItem(each, ACTION) for each in everybody[first : first + BATCH]]
        ledger.spend_batch(items, now=timezone.now())


def wallets(count: int) -> list[Organization]:
    return list(Organization.objects.order_by("pk")[:count])


def spend(organization: Organization, key: str) -> None:
    ledger.spend(organization, ACTION, idempotency_key=key, now=timezone.now())


def spent() -> int:
    return int(Spend.objects.aggregate(total=Sum("credits"))["total"])


def request(count: int) -> dict[str, Any]:
    """A service's key, which names the organization in each request."""
    _, secret = access.create_key(name="Peers", service=Service.objects.get(name="Peers"))
    return {
        "path": "/api/v1/spends",
        "headers": {
            "Authorization": f"Bearer {secret}",
            "Idempotency-Key": "{key}",
            "X-Forwarded-Proto": "https",  # As the proxy in front says it.
        },
        "body": f'{{"action": "{ACTION}", "organization": "{{wallet}}"}}',
        "wallets": [each.public_id for each in wallets(count)],
    }


def script(count: int) -> str:
    first = wallets(1)[0].pk
    return rf"""
        \set organization random({first}, {first + count - 1})
        \set key random(1, 9000000000000000000)
        SELECT * FROM ledger_spend(
            p_organization => :organization, p_api_key => NULL, p_action => '{ACTION}',
            p_quantity => 1, p_reference => '', p_idempotency_key => :key,
            p_hold_seconds => NULL, p_now => now()
        );
    """
