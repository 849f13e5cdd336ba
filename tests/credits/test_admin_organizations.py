"""Organizations in the admin: finding them, reading one, adjusting, suspending."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from credits import ledger
from credits.access import create_key
from credits.models import Entry, Grant, Membership, Organization, User

pytestmark = pytest.mark.django_db

LIST = "/admin/credits/organization/"


def page_of(organization: Organization) -> str:
    return f"{LIST}{organization.pk}/change/"


def adjust_url(organization: Organization) -> str:
    return f"{LIST}{organization.pk}/adjust/"


def adjustment(**changes):
    form = {
        "credits": "100",
        "reason": "Welcome",
        "expires_at_0": "",
        "expires_at_1": "",
        "adjustment_id": str(uuid4()),
    }
    return {**form, **changes}


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
    admin, organization, django_assert_max_num_queries
):
    Organization.objects.bulk_create(Organization(name=f"Company {n}") for n in range(39))
    with django_assert_max_num_queries(10):
        page = admin.get(LIST)
    assert len(page.context["cl"].result_list) == 40


# --- One organization -------------------------------------------------------------------------


def test_the_page_tells_balance_grants_spends_entries_members_and_keys(admin, organization):
    key, _ = create_key(name="Production", organization=organization)
    now = timezone.now()
    member = User.objects.create_user("olivia@acme.test")
    Membership.objects.create(organization=organization, user=member, role="owner")
    ledger.adjust(organization, 1200, reason="Ticket 4711", actor=admin.user, now=now)
    ledger.spend(organization, "alt-text.generate", quantity=7, reference="asset-9", now=now)
    page = admin.get(page_of(organization)).content.decode()
    for told in ("1,243", "43", "1,200", "Ticket 4711", admin.user.email, "asset-9", "olivia"):
        assert told in page
    assert key.prefix in page
    assert f"/admin/credits/entry/?organization__id__exact={organization.pk}" in page


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


# --- Adjust credits ---------------------------------------------------------------------------


def test_an_addition_makes_a_staff_grant_and_is_recorded_with_actor_and_reason(admin, organization):
    response = admin.post(adjust_url(organization), adjustment(reason="Ticket 4711"), follow=True)
    assert response.redirect_chain == [(page_of(organization), 302)]
    assert "Gave 100 credits. Acme now has 150." in response.content.decode()
    grant = Grant.objects.get(kind="staff")
    entry = Entry.objects.get(grant=grant)
    log = LogEntry.objects.get()
    assert (grant.amount, grant.expires_at) == (100, None)
    assert (entry.credits, entry.actor, entry.reason) == (100, admin.user, "Ticket 4711")
    assert log.user == admin.user
    assert log.get_change_message() == "Adjusted credits by +100: Ticket 4711"
    assert log.object_id == str(organization.pk)


def test_what_is_given_can_lapse(admin, organization):
    later = (timezone.now() + timedelta(days=90)).replace(microsecond=0)
    expiry = {"expires_at_0": f"{later:%Y-%m-%d}", "expires_at_1": f"{later:%H:%M:%S}"}
    admin.post(adjust_url(organization), adjustment(**expiry))
    assert Grant.objects.get(kind="staff").expires_at == later


def test_a_deduction_takes_in_burn_down_order(admin, organization):
    ledger.adjust(organization, 100, reason="Gift", actor=admin.user, now=timezone.now())
    admin.post(adjust_url(organization), adjustment(credits="-60", reason="Given twice"))
    assert ledger.balance(organization, now=timezone.now()).by_kind == {
        "weekly": 0,
        "top_up": 0,
        "staff": 90,
    }


PAST = {"expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"}
FUTURE = {"expires_at_0": "2999-01-01", "expires_at_1": "00:00:00"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"credits": "0"}, "0 does nothing"),
        ({"credits": ""}, "This field is required"),
        ({"credits": "ten"}, "Enter a whole number"),
        ({"credits": "1000000001"}, "less than or equal to 1000000000"),
        ({"credits": "-51"}, "At most 50 credits can be taken."),
        ({"reason": "  "}, "This field is required"),
        ({"reason": "x" * 501}, "at most 500 characters"),
        ({"expires_at_0": "soon"}, "Enter a valid date"),
        (PAST, "This moment has passed"),
        ({"credits": "-5", **FUTURE}, "Only credits that are given can lapse"),
        ({"adjustment_id": "one"}, "lost its one-time id"),
    ],
)
def test_a_wrong_adjustment_is_explained_and_changes_nothing(admin, organization, changes, told):
    response = admin.post(adjust_url(organization), adjustment(**changes))
    assert response.status_code == 200
    assert told in response.content.decode()
    assert available(organization) == 50
    assert not Entry.objects.exclude(kind="grant", grant__kind="weekly").exists()
    assert not LogEntry.objects.exists()


def test_a_form_sent_twice_adjusts_once(admin, organization):
    form = adjustment(credits="-20")
    admin.post(adjust_url(organization), form)
    again = admin.post(adjust_url(organization), form, follow=True)
    assert "nothing changed. Acme has 30." in again.content.decode()
    assert available(organization) == 30
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    "changes", [{"credits": "7"}, {"credits": "-20"}, {"reason": "Another"}, FUTURE]
)
def test_a_form_sent_again_with_other_values_is_not_said_to_be_done(admin, organization, changes):
    form = adjustment(credits="20")
    admin.post(adjust_url(organization), form)
    again = admin.post(adjust_url(organization), {**form, **changes})
    assert "used before, for another adjustment" in again.text
    assert available(organization) == 70
    assert LogEntry.objects.count() == 1


def test_a_form_of_one_organization_is_not_said_to_be_done_for_another(admin, organization):
    other, form = Organization.objects.create(name="Zeta", weekly_credits=50), adjustment()
    admin.post(adjust_url(organization), form)
    assert "used before, for another adjustment" in admin.post(adjust_url(other), form).text
    assert available(other) == 50


def test_a_form_that_lapses_sent_twice_gives_once(admin, organization):
    form = adjustment(**FUTURE)
    admin.post(adjust_url(organization), form)
    again = admin.post(adjust_url(organization), form, follow=True)
    assert "nothing changed" in again.text
    assert available(organization) == 150


def test_one_credit_is_told_in_the_singular(admin, organization):
    response = admin.post(adjust_url(organization), adjustment(credits="1"), follow=True)
    assert "Gave 1 credit. Acme now has 51." in response.text


def test_each_form_carries_its_own_one_time_id(admin, organization):
    ids = {
        admin.get(adjust_url(organization)).context["form"]["adjustment_id"].value()
        for _ in range(2)
    }
    assert len(ids) == 2


def test_only_who_has_the_permission_sees_and_uses_the_page(organization, sign_in):
    finance, support = sign_in("finance"), sign_in("support")
    assert finance.get(adjust_url(organization)).status_code == 403
    assert finance.post(adjust_url(organization), adjustment()).status_code == 403
    assert "Adjust credits" not in finance.get(page_of(organization)).content.decode()
    assert available(organization) == 50
    assert "Adjust credits" in support.get(page_of(organization)).content.decode()
    support.post(adjust_url(organization), adjustment())
    assert available(organization) == 150


def test_nobody_adjusts_without_signing_in(organization):
    response = Client().post(adjust_url(organization), adjustment())
    assert response.url.startswith(reverse("admin:login"))
    assert available(organization) == 50
