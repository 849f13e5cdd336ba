"""What the database itself refuses, and what the audit finds when it is forced."""

import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from credits import ledger
from credits.access import create_key
from credits.models import ApiKey, Entry, Grant, Organization

HISTORY = [
    "UPDATE credits_entry SET credits = credits + 1",
    "UPDATE credits_entry SET reason = 'other'",
    "DELETE FROM credits_entry",
    "DELETE FROM credits_spend",
    "DELETE FROM credits_grant",
    "DELETE FROM credits_refund",
    "UPDATE credits_refund SET credits = 9",
    "UPDATE credits_spend SET credits = 99, quantity = 99",
    "UPDATE credits_spend SET created_at = now()",
    "UPDATE credits_spend SET idempotency_key = 'x'",
    "UPDATE credits_spend SET status = 'held'",
    "UPDATE credits_spend SET refunded_credits = 99",
    "UPDATE credits_grant SET amount = amount + 1",
    "UPDATE credits_grant SET remaining = -1",
    "UPDATE credits_grant SET remaining = amount + 1",
    "UPDATE credits_grant SET expires_at = NULL, kind = 'staff', week = NULL",
    "DELETE FROM credits_organization",
    "DELETE FROM credits_wallet; DELETE FROM credits_organization",
    # What spends name has no foreign key that would keep it.
    "DELETE FROM credits_action",
    "DELETE FROM credits_apikey",
    "UPDATE credits_wallet SET organization_id = 0",
    "UPDATE credits_organization SET id = 0",
    "UPDATE credits_grant SET id = uuidv7()",
    "UPDATE credits_spend SET id = uuidv7()",
    "UPDATE credits_action SET id = id + 1000",
    "UPDATE credits_apikey SET id = id + 1000",
    *(
        f"TRUNCATE credits_{table}"
        for table in ("organization", "action", "apikey", "grant", "spend")
    ),
]


@pytest.fixture
def spent(organization):
    key, _ = create_key(name="Test", organization=organization)
    result = ledger.spend(
        organization, "alt-text.generate", quantity=5, api_key=key, now=timezone.now()
    )
    spend = organization.spends.get(pk=result.id)
    ledger.refund(spend, credits=2, now=timezone.now())
    return spend


def run_and_commit(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("statement", HISTORY)
def test_history_cannot_be_rewritten_by_sql(spent, statement):
    before = list(Entry.objects.values()), list(Grant.objects.values())
    with pytest.raises(DatabaseError):
        run_and_commit(statement)
    assert (list(Entry.objects.values()), list(Grant.objects.values())) == before


def test_a_spend_for_what_is_not_there_is_refused(organization):
    nobody, no_key = Organization(pk=0), ApiKey(pk=0)
    for asked, key in ((nobody, None), (organization, no_key)):
        item = ledger.SpendItem(asked, "alt-text.generate")
        for items in ([item], [item] * 2):
            with pytest.raises(DatabaseError), transaction.atomic():
                ledger.spend_batch(items, api_key=key, now=timezone.now())
    assert not Entry.objects.exists()


def test_one_weekly_grant_a_week_and_one_grant_a_purchase(spent, organization):
    weekly = Grant.objects.get()
    columns = (
        "organization_id, kind, priority, amount, remaining, starts_at, week, purchase_id, "
        "created_at"
    )
    purchase_id = uuid.uuid4()
    ledger.grant(
        organization, 5, kind=Grant.Kind.TOP_UP, purchase_id=purchase_id, now=timezone.now()
    )
    for kind, week, purchase in (("weekly", weekly.week, None), ("top_up", None, purchase_id)):
        with (
            pytest.raises(DatabaseError, match="unique"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(
                f"INSERT INTO credits_grant ({columns}) "
                "VALUES (%s, %s, 1, 5, 5, now(), %s, %s, now())",
                [organization.pk, kind, week, purchase],
            )


def test_a_purchase_is_granted_once_however_often_it_is_asked_for(organization):
    purchase_id = uuid.uuid4()
    grants = {
        ledger.grant(
            organization, 500, kind=Grant.Kind.TOP_UP, purchase_id=purchase_id, now=timezone.now()
        )
        for _ in range(3)
    }
    assert len(grants) == 1
    assert ledger.balance(organization, now=timezone.now()).by_kind["top_up"] == 500


def test_an_adjustment_is_made_once_however_often_it_is_sent(organization, staff):
    for credits in (30, -10):
        adjustment_id = uuid.uuid4()
        for _ in range(2):
            ledger.adjust(
                organization,
                credits,
                reason="once",
                actor=staff,
                now=timezone.now(),
                adjustment_id=adjustment_id,
            )
    assert ledger.balance(organization, now=timezone.now()).total == 70


def test_an_adjustment_never_takes_more_than_there_is(organization, staff):
    with pytest.raises(ledger.OutOfCredits) as caught:
        ledger.adjust(organization, -51, reason="all", actor=staff, now=timezone.now())
    assert (caught.value.required, caught.value.available) == (51, 50)
    assert not Entry.objects.exists()


def test_a_naive_moment_is_refused(organization):
    with pytest.raises(ValueError, match="aware"):
        ledger.spend(organization, "alt-text.generate", now=timezone.now().replace(tzinfo=None))


def test_a_sound_ledger_passes_its_check(spent):
    out = StringIO()
    call_command("check_ledger", stdout=out)
    assert "sound" in out.getvalue()


# How each check's promise is broken behind the ledger's back, and which row it then names.
FORGERIES = {
    "limits": "SET CONSTRAINTS ALL IMMEDIATE; "
    "ALTER TABLE credits_grant DROP CONSTRAINT grant_remaining_between_zero_and_amount; "
    "UPDATE credits_grant SET remaining = amount + 1",
    "grants": "UPDATE credits_grant SET remaining = remaining - 1",
    "entries": "UPDATE credits_entry SET remaining_after = remaining_after + 1 WHERE seq = 1",
    "sequences": "UPDATE credits_wallet SET entry_seq = entry_seq + 1 "
    "WHERE organization_id <> {other}",
    "owners": "UPDATE credits_grant SET organization_id = {other}",
    "spends": "UPDATE credits_spend SET refunded_credits = 1",
    "references": "UPDATE credits_spend SET action_id = 0",
}


@pytest.mark.parametrize("check", FORGERIES)
def test_the_check_names_the_row_that_is_off(spent, check):
    other = Organization.objects.create(name="Other")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(FORGERIES[check].format(other=other.pk))
        cursor.execute("SET session_replication_role = DEFAULT")
    errors = StringIO()
    with pytest.raises(CommandError, match="off"):
        call_command("check_ledger", stderr=errors)
    line, *_ = [line for line in errors.getvalue().splitlines() if line.startswith(f"{check}:")]
    grant = spent.organization.grants.get() if check != "owners" else other.grants.get()
    named = {
        "limits": grant.pk,
        "grants": grant.pk,
        "entries": f"entry 1 of organization {spent.organization_id}",
        "sequences": f"organization {spent.organization_id} ",
        "owners": f"in a grant of organization {other.pk}",
        "spends": spent.pk,
        "references": spent.pk,
    }
    assert str(named[check]) in line


def test_credits_that_would_lapse_before_they_are_given_are_refused(organization, admin):
    tomorrow = timezone.now() + timedelta(days=1)
    ledger.spend(organization, "alt-text.generate", now=tomorrow + timedelta(days=1))
    with pytest.raises(ledger.AlreadyLapsed):
        ledger.adjust(
            organization,
            5,
            reason="late",
            actor=admin.user,
            now=timezone.now(),
            expires_at=tomorrow,
        )
    form = {
        "credits": "5",
        "reason": "goodwill",
        "expires_at_0": f"{tomorrow:%Y-%m-%d}",
        "expires_at_1": f"{tomorrow:%H:%M:%S}",
        "adjustment_id": str(uuid.uuid4()),
    }
    url = reverse("admin:credits_organization_adjust", args=[organization.pk])
    response = admin.post(url, form)
    assert "choose a later one" in response.content.decode()
    assert organization.wallet.entry_seq == 2


def test_every_other_column_of_a_grant_is_kept_from_changing():
    """The trigger names them, so that a spend, which changes none, pays nothing for it."""
    [trigger] = [it for it in Grant._meta.triggers if it.name == "only_remaining_changes"]
    columns = {field.column for field in Grant._meta.concrete_fields}
    assert set(trigger.operation.columns) == columns - {"remaining", "is_open"}
