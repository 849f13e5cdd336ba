"""Refills and ledger checks leave a line each, and the dashboard tells how they stand."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from credits import jobs, ledger, tasks
from credits.ledger import audit
from credits.models import Email, JobRun, Organization
from tests.credits.support import MONDAY
from tests.tiles import tile

pytestmark = pytest.mark.django_db
FRIDAY = MONDAY - timedelta(days=3)
WEDNESDAY = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


def spend(*organizations: Organization, now: datetime) -> None:
    for organization in organizations:
        ledger.spend(organization, "alt-text.generate", now=now)


def spoil_a_grant() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE credits_grant SET remaining = remaining - 1")
        cursor.execute("SET session_replication_role = DEFAULT")


def facts(run: JobRun) -> tuple[str, str, int]:
    return run.job, run.outcome, run.count


# --- What is written down ---------------------------------------------------------------------


def test_the_task_and_the_command_write_down_each_refill(organization, set_clock):
    other = Organization.objects.create(name="Other", weekly_credits=50)
    spend(organization, other, now=FRIDAY)
    set_clock(WEDNESDAY)
    tasks.refill_week()
    call_command("refill", now="2026-12-07T00:00:00Z")
    task, command = JobRun.objects.order_by("as_of")
    assert facts(task) == ("refill", "done", 2)
    assert facts(command) == ("refill", "done", 0)
    assert (task.as_of, task.started_at) == (WEDNESDAY, WEDNESDAY)
    assert task.finished_at >= task.started_at
    assert command.as_of == datetime(2026, 12, 7, tzinfo=UTC)
    assert command.started_at == WEDNESDAY


def test_a_refill_under_way_tells_how_far_it_is(organization):
    other = Organization.objects.create(name="Other", weekly_credits=50)
    spend(organization, other, now=FRIDAY)
    refill = jobs.refill(as_of=MONDAY, now=MONDAY, chunk=1)
    assert next(refill) == 1
    assert facts(JobRun.objects.get()) == ("refill", "running", 1)
    assert sum(refill) == 1
    assert facts(JobRun.objects.get()) == ("refill", "done", 2)


def test_a_refill_that_fails_says_why(organization, monkeypatch):
    def fail(**arguments):
        yield 1
        raise OSError("The disk is full")

    monkeypatch.setattr(ledger, "refill", fail)
    with pytest.raises(OSError, match="disk"):
        list(jobs.refill(as_of=MONDAY, now=MONDAY))
    run = JobRun.objects.get()
    assert facts(run) == ("refill", "broke_off", 1)
    assert run.summary == "OSError: The disk is full"


def test_the_task_and_the_command_write_down_each_check(organization, set_clock):
    spend(organization, now=FRIDAY)
    set_clock(WEDNESDAY)
    tasks.check_ledger()
    call_command("check_ledger")
    assert [facts(run) for run in JobRun.objects.all()] == [("ledger_check", "done", 0)] * 2


def test_staff_are_told_once_of_what_is_off(organization, settings, set_clock):
    settings.ALERT_EMAILS = ["ops@example.com"]
    spend(organization, now=FRIDAY)
    spoil_a_grant()
    for hours in range(3):
        set_clock(WEDNESDAY + timedelta(hours=hours))
        tasks.check_ledger()
    with pytest.raises(CommandError):
        call_command("check_ledger")
    run = JobRun.objects.first()
    findings = list(audit.findings())
    assert facts(run) == ("ledger_check", "findings", len(findings))
    assert set(run.summary.splitlines()) == set(findings)
    alert = Email.objects.get()
    assert findings[0] in alert.context["text"]
    assert f"/admin/credits/jobrun/{JobRun.objects.last().pk}/change/" in alert.context["text"]

    spoil_a_grant()
    tasks.check_ledger()
    assert Email.objects.count() == 2


def test_of_many_rows_that_are_off_the_first_are_kept(monkeypatch):
    monkeypatch.setattr(audit, "findings", lambda: (f"row {n}" for n in range(1_000)))
    assert len(list(jobs.check_ledger(now=WEDNESDAY))) == 1_000
    run = JobRun.objects.get()
    assert run.count == 1_000
    assert run.summary.splitlines() == [f"row {n}" for n in range(jobs.FINDINGS_KEPT)]


def test_a_finished_run_never_changes_and_an_old_one_goes(organization):
    list(jobs.refill(as_of=MONDAY, now=MONDAY))
    with pytest.raises(ProgrammingError), transaction.atomic():
        JobRun.objects.update(count=7)
    list(jobs.refill(as_of=MONDAY, now=MONDAY + jobs.KEPT_FOR))
    assert JobRun.objects.count() == 2
    list(jobs.refill(as_of=MONDAY, now=MONDAY + jobs.KEPT_FOR + timedelta(seconds=1)))
    assert JobRun.objects.filter(started_at=MONDAY).count() == 0


@pytest.mark.parametrize("role", ["support", "finance", "administrators"])
def test_everybody_may_read_the_runs_and_nobody_writes_them(sign_in, role):
    client = sign_in(role)
    list(jobs.refill(as_of=MONDAY, now=MONDAY))
    url = f"/admin/credits/jobrun/{JobRun.objects.get().pk}/change/"
    assert "Done" in client.get("/admin/credits/jobrun/").text
    assert client.get(url).status_code == 200
    assert client.post(url, {"count": 7}).status_code == 403


# --- What the dashboard tells -----------------------------------------------------------------


def refill_tile(admin) -> tuple[str, str]:
    return tile(admin.get("/admin/").text, "Refill of this week")[:2]


def test_the_refill_is_due_then_done_then_due_again(admin, organization, set_clock):
    set_clock(WEDNESDAY)
    assert refill_tile(admin) == ("neutral", "Not yet")
    spend(organization, now=WEDNESDAY)
    tasks.refill_week()
    assert refill_tile(admin) == ("ok", "Done")

    monday = MONDAY + timedelta(days=7)
    set_clock(monday + timedelta(minutes=1))
    assert refill_tile(admin) == ("neutral", "Due")
    set_clock(monday + timedelta(hours=3))
    assert refill_tile(admin) == ("warning", "Missed")
    tasks.refill_week()
    page = admin.get("/admin/").text
    assert "1 organization recharged; none was left at Nov 30, 03:00 UTC" in page
    _, value, url = tile(page, "Refill of this week")
    runs = admin.get(url).context["cl"].queryset
    assert (value, [run.as_of for run in runs]) == ("Done", [monday + timedelta(hours=3)])


def test_a_refill_that_runs_was_killed_or_broke_off_is_told(admin, set_clock):
    set_clock(WEDNESDAY)
    JobRun.objects.create(job="refill", as_of=WEDNESDAY, started_at=WEDNESDAY, count=12)
    assert refill_tile(admin) == ("neutral", "Running")
    assert "12 organizations recharged so far" in admin.get("/admin/").text
    set_clock(WEDNESDAY + timedelta(hours=2))
    assert refill_tile(admin) == ("warning", "Cut off")
    tasks.refill_week()
    assert refill_tile(admin) == ("ok", "Done")
    JobRun.objects.create(
        job="refill",
        as_of=WEDNESDAY,
        started_at=WEDNESDAY + timedelta(hours=3),
        finished_at=WEDNESDAY + timedelta(hours=3),
        outcome="broke_off",
        summary="OSError: The disk is full",
    )
    assert refill_tile(admin) == ("danger", "Broke off")
    assert "The disk is full" in admin.get("/admin/").text


def test_the_last_check_is_told_and_leads_to_what_it_found(admin, organization, set_clock):
    spend(organization, now=FRIDAY)
    set_clock(WEDNESDAY)
    tasks.check_ledger()
    assert check_tile(admin)[:2] == ("ok", "Sound")
    set_clock(WEDNESDAY + timedelta(hours=37))
    assert check_tile(admin)[:2] == ("warning", "Sound")
    spoil_a_grant()
    tasks.check_ledger()
    urgency, value, url = check_tile(admin)
    assert (urgency, value) == ("danger", "1 row is off")
    assert str(organization.grants.get().pk) in admin.get(url).text


def check_tile(admin) -> tuple[str, str, str]:
    return tile(admin.get("/admin/").text, "Ledger check")
