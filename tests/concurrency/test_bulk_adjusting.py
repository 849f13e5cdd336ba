"""Adjustments from files, uploaded and made by many at once over real connections."""

import pytest
from django.db import connection, transaction
from django.utils import timezone

from credits import adjustments, ledger
from credits.ledger import audit
from credits.models import Adjustment, BulkAdjustment, Entry, Organization, User, Wallet
from tests.concurrency.conftest import program
from tests.concurrency.locks import wait_for_who_waits_for_a_lock
from tests.concurrency.threads import at_once
from tests.credits.adjustment_files import csv_file, row


@pytest.fixture
def organizations(committed_db) -> list[Organization]:
    return [Organization.objects.create(name=f"O{n}", weekly_credits=50) for n in range(8)]


@pytest.fixture
def staff(committed_db) -> User:
    return User.objects.create_user("staff@credits.test", is_staff=True)


def upload(content: bytes, staff: User) -> BulkAdjustment:
    file = adjustments.read("friday.csv", content)
    return adjustments.upload(file, by=staff, now=timezone.now())


def confirmed(content: bytes, staff: User) -> BulkAdjustment:
    bulk = upload(content, staff)
    adjustments.confirm(bulk, leave_out_refused=False, by=staff, now=timezone.now())
    return bulk


def run(bulk: BulkAdjustment) -> None:
    while adjustments.run(bulk.pk, now=timezone.now()):
        pass


def balances(organizations: list[Organization]) -> list[int]:
    return [ledger.balance(one, now=timezone.now()).total for one in organizations]


def outcomes(*bulks: BulkAdjustment) -> list[str]:
    return sorted(row.outcome for bulk in bulks for row in bulk.rows.all())


def test_the_same_file_uploaded_and_confirmed_by_two_at_once_is_made_once(organizations, staff):
    content = csv_file([row(one, 10) for one in organizations])

    def from_upload_to_end(_: int) -> BulkAdjustment:
        bulk = confirmed(content, staff)
        run(bulk)
        return bulk

    bulks = at_once(from_upload_to_end, range(4))
    assert balances(organizations) == [60] * 8
    assert outcomes(*bulks) == ["before"] * 24 + ["done"] * 8
    assert Adjustment.objects.count() == 8
    assert BulkAdjustment.objects.filter(finished_at=None).count() == 0
    assert list(audit.findings()) == []


def test_workers_on_one_file_make_each_row_once_and_in_its_order(organizations, staff):
    # In any other order a row would take more than there is.
    amounts = (-50, 20, -20, 100, -100, 7)
    rows = [
        row(one, credits, reference=str(number))
        for one in organizations
        for number, credits in enumerate(amounts)
    ]
    bulk = confirmed(csv_file(rows), staff)
    assert at_once(lambda _: run(bulk), range(4)) == [None] * 4
    assert outcomes(bulk) == ["done"] * len(rows)
    lines = dict(Adjustment.objects.values_list("pk", "bulk_row__line"))
    entries = Entry.objects.filter(adjustment_id__isnull=False).order_by("id")
    made = [lines[entry.adjustment_id] for entry in entries]
    assert made == sorted(made)
    assert balances(organizations) == [7] * 8
    bulk.refresh_from_db()
    assert bulk.done_count == len(rows)
    assert list(audit.findings()) == []


def test_a_confirmation_by_many_at_once_is_one(organizations, staff):
    bulk = upload(csv_file([row(organizations[0], 10)]), staff)
    confirm = lambda _: adjustments.confirm(  # noqa: E731
        bulk, leave_out_refused=False, by=staff, now=timezone.now()
    )
    assert sorted(at_once(confirm, range(5))) == [False] * 4 + [True]


def test_one_form_confirmed_by_many_at_once_adjusts_once(organizations, staff):
    one, id_ = organizations[0], "0190f0f0-0000-4000-8000-000000000001"
    results = at_once(
        lambda _: ledger.adjust(
            one, -20, reason="Twice", actor=staff, now=timezone.now(), adjustment_id=id_
        ),
        range(5),
    )
    assert sorted(results) == [False] * 4 + [True]
    assert balances([one]) == [30]
    assert Adjustment.objects.count() == 1


def test_a_worker_killed_in_the_middle_leaves_whole_rows_and_the_next_finishes(
    organizations, staff
):
    bulk = confirmed(csv_file([row(one, 10) for one in organizations]), staff)
    call = f"from credits.tasks import run_bulk_adjustment as run; run('{bulk.pk}')"
    with transaction.atomic():
        # The third row waits for this wallet, and its worker is killed while it waits.
        Wallet.objects.select_for_update().get(organization=organizations[2])
        with program("manage.py", "shell", "-c", call) as process:
            try:
                server_pid = wait_for_who_waits_for_a_lock()
            finally:
                process.kill()
        # PostgreSQL would go on with the statement of a client that is gone.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [server_pid])
    assert outcomes(bulk) == ["done"] * 2 + ["waiting"] * 6
    assert balances(organizations) == [60, 60, *[50] * 6]
    assert adjustments.abandoned(now=timezone.now()) == []

    run(bulk)
    assert outcomes(bulk) == ["done"] * 8
    assert balances(organizations) == [60] * 8
    assert list(audit.findings()) == []
