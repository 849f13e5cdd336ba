"""A refill that dies in the middle leaves whole chunks, and the next one finishes the work."""

from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from credits import ledger
from credits.ledger import audit
from credits.models import Entry, Organization, Wallet
from tests.concurrency.conftest import program
from tests.concurrency.locks import wait_for_who_waits_for_a_lock


def test_a_refill_killed_in_the_middle_is_finished_by_the_next(committed_db):
    monday = ledger.week_start(timezone.now())
    organizations = [Organization.objects.create(name=f"O{n}", weekly_credits=9) for n in range(6)]
    for organization in organizations:
        ledger.spend(
            organization, "alt-text.generate", quantity=4, now=monday - timedelta(seconds=1)
        )
    with transaction.atomic():
        # The refill's second chunk waits for this wallet, and is killed while it waits.
        Wallet.objects.select_for_update().get(organization=organizations[3])
        with program("manage.py", "refill", "--chunk", "2") as process:
            try:
                server_pid = wait_for_who_waits_for_a_lock()
            finally:
                process.kill()
        # PostgreSQL would go on with the statement of a client that is gone.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [server_pid])
    assert refilled_of(organizations) == [True, True, False, False, False, False]

    assert sum(ledger.refill(now=monday)) == 4
    assert refilled_of(organizations) == [True] * 6
    for organization in organizations:
        lines = list(organization.entries.order_by("seq").values_list("kind", "credits"))
        assert lines == [("grant", 9), ("spend", -4), ("expire", -5), ("grant", 9)]
    assert list(audit.findings()) == []


def refilled_of(organizations: list[Organization]) -> list[bool]:
    expired = Entry.objects.filter(kind="expire")
    return [expired.filter(organization=organization).exists() for organization in organizations]
