"""What Beat runs: the rows in the database name real tasks, and the tasks do their work."""

import importlib
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from config.celery import app
from credits import ledger, tasks
from credits.models import Grant


@pytest.mark.usefixtures("db")
def test_each_scheduled_task_exists_and_runs():
    for name in ("credits.tasks", "topups.tasks"):
        importlib.import_module(name)
    scheduled = PeriodicTask.objects.exclude(task__startswith="celery.")
    assert {task.name: task.task for task in scheduled} == {
        "Monday refill": "credits.tasks.refill_week",
        "Refill catch-up": "credits.tasks.refill_week",
        "Release expired holds": "credits.tasks.release_expired_holds",
        "Check the ledger": "credits.tasks.check_ledger",
        "Finish bulk adjustments": "credits.tasks.finish_bulk_adjustments",
        "Forget browser tokens": "credits.tasks.forget_tokens",
        "Ledger totals": "credits.tasks.roll_up_totals",
        "Forget sign-ins": "credits.tasks.forget_sign_ins",
        "Send email": "credits.tasks.send_mail",
        "Send notices": "credits.tasks.send_notices",
        "Finance's months": "topups.tasks.roll_up_months",
        "Finish payments": "topups.tasks.sweep",
        "Reconcile with Stripe": "topups.tasks.reconcile",
    }
    for task in scheduled:
        assert task.enabled
        app.tasks[task.task].apply(throw=True)


def test_beat_refills_on_monday_at_midnight_utc_and_catches_up_each_hour(db):
    monday = PeriodicTask.objects.get(name="Monday refill").crontab
    assert (monday.minute, monday.hour, monday.day_of_week) == ("0", "0", "1")
    hourly = PeriodicTask.objects.get(name="Refill catch-up").crontab
    assert (hourly.hour, hourly.day_of_week, hourly.day_of_month) == ("*", "*", "*")
    assert str(monday.timezone) == str(hourly.timezone) == settings.CELERY_TIMEZONE == "UTC"


def test_the_refill_task_makes_up_for_a_missed_monday(organization, set_clock):
    wednesday = ledger.week_start(timezone.now()) + timedelta(days=2)
    ledger.spend(organization, "alt-text.generate", now=wednesday - timedelta(days=14))
    set_clock(wednesday)
    tasks.refill_week()
    assert organization.entries.filter(created_at=wednesday, kind="expire").count() == 1
    assert organization.grants.get(week=ledger.week_start(wednesday).date()).remaining == 50


def test_the_nightly_check_logs_the_row_that_is_off(organization, caplog):
    ledger.spend(organization, "alt-text.generate", now=timezone.now())
    tasks.check_ledger()
    assert not caplog.records
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE credits_grant SET remaining = 7")
        cursor.execute("SET session_replication_role = DEFAULT")
    tasks.check_ledger()
    assert str(Grant.objects.get().pk) in caplog.text
