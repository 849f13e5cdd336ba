"""Organizations in the admin: finding them, reading one, adjusting, suspending."""

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from credits import ledger
from credits.access import create_key
from credits.models import Membership, Organization, User
from tests.credits.support import query_count

pytestmark = pytest.mark.django_db

LIST = "/admin/credits/organization/"


def page_of(organization: Organization) -> str:
    return f"{LIST}{organization.pk}/change/"


def settings_form(organization: Organization, **changes):
    form = {
        "name": organization.name,
        "weekly_credits": str(organization.weekly_credits),
        "initial-weekly_credits": str(organization.weekly_credits),
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    }
    return {**form, **changes}


def available(organization: Organization) -> int:
    return ledger.balance(organization, now=timezone.now()).total


# --- The list ---------------------------------------------------------------------------------


def test_the_list_shows_what_each_organization_can_spend_and_its_next_refill(admin, organization):
    ledger.adjust(organization, 1200, reason="Gift", actor=admin.user, now=timezone.now())
    page = admin.get(LIST).content.decode()
    assert organization.public_id in page
    assert "1,250" in page
    assert f"{ledger.next_refill_at(timezone.now()):%b} " in page


@pytest.mark.parametrize("query", ["Acm", "{public_id}", "OLIVIA@acme.test"])
def test_an_organization_is_found_by_name_public_id_and_a_members_address(
    admin, organization, query
):
    Organization.objects.create(name="Zenith")
    member = User.objects.create_user("olivia@acme.test")
    Membership.objects.create(organization=organization, user=member)
    found = admin.get(LIST, {"q": query.format(public_id=organization.public_id)})
    assert [row.name for row in found.context["cl"].result_list] == ["Acme"]


def test_the_list_filters_suspended_organizations(admin, organization):
    Organization.objects.create(name="Zenith", suspended_at=timezone.now())
    suspended = admin.get(LIST, {"suspended": "yes"}).context["cl"].result_list
    active = admin.get(LIST, {"suspended": "no"}).context["cl"].result_list
    assert [row.name for row in suspended] == ["Zenith"]
    assert [row.name for row in active] == ["Acme"]


def test_the_list_asks_the_database_as_often_for_forty_organizations_as_for_one(
    admin, organization
):
    for_one = query_count(admin, LIST)
    Organization.objects.bulk_create(Organization(name=f"Company {n}") for n in range(39))
    assert query_count(admin, LIST) == for_one
    assert len(admin.get(LIST).context["cl"].result_list) == 40


# --- One organization -------------------------------------------------------------------------


def test_the_tabs_tell_balance_grants_spends_entries_members_and_keys(admin, organization):
    key, _ = create_key(name="Production", organization=organization)
    now = timezone.now()
    member = User.objects.create_user("olivia@acme.test")
    Membership.objects.create(organization=organization, user=member, role="owner")
    ledger.adjust(organization, 1200, reason="Ticket 4711", actor=admin.user, now=now)
    ledger.spend(organization, "alt-text.generate", quantity=7, reference="asset-9", now=now)
    tabs = {
        "change": ("1,243", "43", "1,200"),
        "activity": ("asset-9", "alt-text.generate", "1,243"),
        "activity/?list=entries": ("Ticket 4711", admin.user.email, "+1,200"),
        "members": ("olivia", key.prefix),
        "history": ("Ticket 4711", admin.user.email),
    }
    for tab, facts in tabs.items():
        page = admin.get(f"{LIST}{organization.pk}/{tab}", follow=True).text
        assert [fact for fact in facts if fact not in page] == [], tab
    grants = f"/admin/credits/grant/?organization__id__exact={organization.pk}"
    assert grants in admin.get(page_of(organization)).text


def test_the_page_shows_the_bundle_that_nobody_has_touched_yet(admin, organization):
    assert "Written down with its first use" in admin.get(page_of(organization)).content.decode()
    ledger.spend(organization, "alt-text.generate", now=timezone.now())
    assert (
        "Written down with its first use" not in admin.get(page_of(organization)).content.decode()
    )


def test_the_page_of_no_organization_leads_back_with_a_message(admin):
    response = admin.get(f"{LIST}999999/change/", follow=True)
    assert "exist. Perhaps it was deleted" in response.content.decode()
    assert admin.get(f"{LIST}nonsense/adjust/").status_code == 404


def test_staff_create_an_organization_with_a_bundle(admin):
    form = {**settings_form(Organization(name="Newcomer")), "weekly_credits": "75"}
    admin.post(f"{LIST}add/", form)
    newcomer = Organization.objects.get(name="Newcomer")
    assert available(newcomer) == 75
    assert newcomer.public_id.startswith("org_")


def test_a_new_bundle_counts_from_next_monday(admin, organization):
    admin.post(page_of(organization), settings_form(organization, weekly_credits="500"))
    organization.refresh_from_db()
    assert organization.weekly_credits == 500
    assert available(organization) == 50
    next_week = ledger.next_refill_at(timezone.now())
    assert ledger.balance(organization, now=next_week).total == 500


def test_saving_a_page_that_was_open_for_long_writes_only_what_was_changed(admin, organization):
    opened = settings_form(organization, name="Acme & Sons")
    ledger.change_bundle(organization, 80, now=timezone.now())
    admin.post(page_of(organization), opened)
    organization.refresh_from_db()
    assert organization.name == "Acme & Sons"
    assert organization.weekly_credits == 80


def test_suspending_asks_first_then_refuses_spends_and_is_logged(admin, organization):
    url = f"{LIST}{organization.pk}/suspend/"
    assert "Suspend Acme?" in admin.get(url).content.decode()
    organization.refresh_from_db()
    assert not organization.is_suspended

    admin.post(url)
    organization.refresh_from_db()
    with pytest.raises(ledger.OrganizationSuspended):
        ledger.spend(organization, "alt-text.generate", now=timezone.now())
    assert LogEntry.objects.get().get_change_message() == "Suspended."

    admin.post(f"{LIST}{organization.pk}/resume/")
    ledger.spend(organization, "alt-text.generate", now=timezone.now())


def test_an_organization_is_never_deleted(admin, organization):
    assert admin.post(f"{LIST}{organization.pk}/delete/", {"post": "yes"}).status_code == 403
    admin.post(
        LIST, {"action": "delete_selected", "_selected_action": organization.pk, "post": "yes"}
    )
    assert Organization.objects.filter(pk=organization.pk).exists()
