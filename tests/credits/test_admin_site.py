"""Every page of the admin, and what all of them share."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin as django_admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from credits import jobs, ledger, people, staff_keys, totals
from credits.access import create_key
from credits.models import Membership, Spend
from tests.credits.adjustment_files import row, upload
from tests.topups.sold import dispute, give_back, sell
from topups import month_totals
from topups.models import BillingAccount, Reconciliation, StripeEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def everything(admin, organization):
    """One row at least in each table that the admin shows."""
    now = timezone.now()
    Membership.objects.create(organization=organization, user=admin.user)
    admin.user.emailaddress_set.create(email=admin.user.email)
    create_key(name="CMS", organization=organization)
    ends_at = now + timedelta(days=1)
    staff_keys.create_key(admin.user, name="Dashboard", expires_at=ends_at, now=now)
    people.invite(organization, "nina@acme.test", "member", by=admin.user, now=now)
    spend = ledger.spend(organization, "alt-text.generate", quantity=50, now=now)
    ledger.refund(Spend.objects.get(pk=spend.id), now=now)
    list(jobs.check_ledger(now=now))
    IntervalSchedule.objects.create(every=1, period="hours")
    purchase = sell(organization)
    give_back(purchase, 1_00)
    dispute(purchase, 1_00)
    totals.roll_up(now=now)
    month_totals.roll_up()
    BillingAccount.objects.create(organization=organization)
    Reconciliation.objects.create(since=now, started_at=now, finished_at=now)
    StripeEvent.objects.create(
        event_id="evt_1",
        type="checkout.session.completed",
        payload={"id": "evt_1"},
        status="processed",
        received_at=now,
        processed_at=now,
    )
    ledger.adjust(organization, 5, reason="Gift", actor=admin.user, now=now)
    upload(admin, row(organization))


REGISTERED = sorted(model._meta.label_lower for model in django_admin.site._registry)


@pytest.mark.parametrize("label", REGISTERED)
def test_every_page_of_every_model_answers(admin, everything, label):
    app, name = label.split(".")
    url = f"/admin/{app}/{name}/"
    model = apps.get_model(label)
    first = model.objects.order_by("pk").first()
    assert first is not None
    assert admin.get(url, follow=True).status_code == 200
    assert admin.get(f"{url}{quote(first.pk)}/change/").status_code == 200
    assert admin.get(f"{url}{quote(first.pk)}/history/").status_code == 200
    assert admin.get(url, {"q": "zzz"}, follow=True).status_code == 200
    can_add = django_admin.site._registry[model].has_add_permission(
        admin.get(url, follow=True).wsgi_request
    )
    assert admin.get(f"{url}add/").status_code == (200 if can_add else 403)


def test_every_page_says_that_the_sandbox_stands_in(admin, organization):
    pages = [
        "/admin/",
        "/admin/credits/entry/",
        f"/admin/credits/organization/{organization.pk}/adjust/",
    ]
    for page in pages:
        assert "Stripe sandbox" in admin.get(page).content.decode()
    assert "No real money moves" in Client().get("/admin/login/", follow=True).text


def test_no_page_says_so_with_a_real_key(admin, settings):
    settings.STRIPE_SANDBOX = False
    assert "sandbox" not in admin.get("/admin/").content.decode().lower()
    assert "No real money" not in Client().get("/admin/login/", follow=True).text


def test_the_sidebar_leads_only_where_the_user_may_go(admin, sign_in):
    page = admin.get("/admin/").content.decode()
    assert "/admin/django_celery_beat/periodictask/" in page
    assert 'href="/sandbox/"' in page
    nobody = sign_in("nobody")
    assert "/admin/credits/organization/" not in nobody.get("/admin/").content.decode()


def test_the_schedule_is_seen_and_edited(admin):
    task = PeriodicTask.objects.get(name="Monday refill")
    assert "Monday refill" in admin.get("/admin/django_celery_beat/periodictask/").content.decode()
    form = {
        "name": task.name,
        "task": task.task,
        "crontab": task.crontab_id,
        "args": "[]",
        "kwargs": "{}",
        "headers": "{}",
        "description": "Paused for the move",
    }
    admin.post(f"/admin/django_celery_beat/periodictask/{task.pk}/change/", form)
    task.refresh_from_db()
    assert (task.enabled, task.description) == (False, "Paused for the move")


def test_the_staff_groups_exist():
    names = set(Group.objects.values_list("name", flat=True))
    assert names == {"support", "finance", "administrators"}
