"""The purchases of an organization, as a tab of its page in the admin."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from sold import dispute, give_back, sell

from credits.models import Organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=0)


def url(organization: Organization) -> str:
    return f"/admin/credits/organization/{organization.pk}/purchases/"


def test_each_purchase_is_told_with_what_was_paid_and_what_went_back(sign_in, organization):
    refunded, disputed = (sell(organization, paid_minor=minor) for minor in (10_00, 12_00))
    give_back(refunded, 4_00)
    dispute(disputed, 12_00)
    sell(Organization.objects.create(name="Zenith"), paid_minor=77_00)
    page = sign_in("finance").get(url(organization)).text
    told = ("$10.00", "$12.00", "Refunded $4.00", "Disputed $12.00", "buyer@example.com")
    assert [fact for fact in told if fact not in page] == []
    assert reverse("admin:topups_purchase_change", args=[refunded.pk]) in page
    assert "$77.00" not in page


def test_the_way_to_a_refund_is_shown_to_who_may(sign_in, organization):
    refund = reverse("admin:topups_purchase_refund", args=[sell(organization).pk])
    client = sign_in("somebody")
    views = Permission.objects.filter(codename__in=("view_organization", "view_purchase"))
    client.user.user_permissions.set(views)
    assert refund not in client.get(url(organization)).text
    refunds = Permission.objects.get(codename="refund_purchase")
    client.user.user_permissions.add(refunds)
    assert refund in client.get(url(organization)).text


def test_many_purchases_ask_as_often_as_one(admin, organization):
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            admin.get(url(organization))
        counts.append(len(queries))
        for _ in range(5):
            sell(organization)
    assert counts[1] <= counts[0] + 2


def test_what_staff_did_to_purchases_stands_with_the_changes_by_staff(admin, organization):
    refunded = [sell(organization)]
    LogEntry.objects.log_actions(admin.user.pk, refunded, CHANGE, "Refunded $1.00.")
    history = f"/admin/credits/organization/{organization.pk}/history/"
    assert "Refunded $1.00." in admin.get(history).text
