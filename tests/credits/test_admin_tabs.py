"""The tabs of an organization's page in the admin: who may see which, and what each tells."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from credits import ledger, people
from credits.access import create_key
from credits.models import Grant, Note, Organization, Spend, User
from tests.credits.support import MONDAY

pytestmark = pytest.mark.django_db

ACTION = "alt-text.generate"
TABS = ("change", "activity", "members", "notes", "history")
HOUR = timedelta(hours=1)


def url(organization: Organization, tab: str) -> str:
    return f"/admin/credits/organization/{organization.pk}/{tab}/"


def show(client, organization: Organization, tab: str, **query: object):
    response = client.get(url(organization, tab), query)
    assert response.status_code == 200
    return response


def spend(organization: Organization, quantity: int = 1, now=None, **fields) -> Spend:
    made = ledger.spend(
        organization, ACTION, quantity=quantity, now=now or timezone.now(), **fields
    )
    return Spend.objects.get(pk=made.id)


def bar(page) -> list[str]:
    return [tab["title"] for tab in page.context["tabs"]]


# --- Who may see which ------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["support", "finance", "administrators"])
def test_each_group_sees_all_tabs_and_on_each_the_same_head(sign_in, organization, group):
    client = sign_in(group)
    for tab in TABS:
        page = show(client, organization, tab)
        assert len(bar(page)) == 6
        assert organization.public_id in page.text
        assert 'aria-current="page"' in page.text


@pytest.mark.parametrize(
    ("tab", "missing", "title"),
    [
        ("activity", "view_spend", "Activity"),
        ("activity", "view_entry", "Activity"),
        ("members", "view_membership", "Members and keys"),
        ("notes", "view_note", "Notes"),
        ("history", "view_entry", "Staff changes"),
        ("purchases", "view_purchase", "Purchases"),
    ],
)
def test_a_tab_is_neither_shown_nor_opened_without_its_permission(
    sign_in, organization, tab, missing, title
):
    client = sign_in("somebody")
    wanted = ("organization", "spend", "entry", "membership", "note", "purchase")
    views = Permission.objects.filter(codename__in=[f"view_{model}" for model in wanted])
    client.user.user_permissions.set(views)
    assert title in bar(show(client, organization, "change"))
    client.user.user_permissions.set(views.exclude(codename=missing))
    assert title not in bar(show(client, organization, "change"))
    assert client.get(url(organization, tab)).status_code == 403


def test_no_tab_opens_without_the_permission_to_see_organizations(sign_in, organization):
    client = sign_in("somebody")
    everything = Permission.objects.exclude(codename__endswith="_organization")
    client.user.user_permissions.set(everything)
    answers = {tab: client.get(url(organization, tab)).status_code for tab in TABS}
    assert answers == dict.fromkeys(TABS, 403)


def test_the_tabs_of_no_organization_are_not_found(admin):
    for tab in ("activity", "purchases", "notes", "history"):
        for nobody in (Organization(pk=999_999), Organization(pk="nonsense")):
            assert admin.get(url(nobody, tab)).status_code == 404


# --- Overview ---------------------------------------------------------------------------------


def test_the_chart_tells_the_balance_of_each_day_and_the_table_the_same(
    admin, organization, set_clock
):
    set_clock(MONDAY + timedelta(days=3))
    Organization.objects.filter(pk=organization.pk).update(created_at=MONDAY)
    spend(organization, 8, now=MONDAY + HOUR)
    spend(organization, 30, now=MONDAY + timedelta(days=1))
    page = show(admin, organization, "change")
    chart = page.context["overview"].chart
    assert [level.credits for level in chart.levels[-5:]] == [0, 42, 12, 12, 12]
    assert len(chart.levels) == 30
    for told in ("<svg", "Show as a table", "Nov 23, 2026", "Monday, Nov 23: 42 credits"):
        assert told in page.text
    assert len(show(admin, organization, "change", days=90).context["overview"].chart.levels) == 90
    assert admin.get(url(organization, "change"), {"days": "7"}).status_code == 404


def test_grants_stand_in_burn_down_order(admin, organization):
    now = timezone.now()
    for credits, days in ((100, None), (200, 9), (300, 5)):
        expires_at = days and now + timedelta(days=days)
        ledger.adjust(
            organization, credits, reason="x", actor=admin.user, now=now, expires_at=expires_at
        )
    rows = show(admin, organization, "change").context["overview"].grants["rows"]
    grants = [Grant.objects.get(amount=amount) for amount in (50, 300, 200, 100)]
    assert all(str(grant.pk) in row[5] for grant, row in zip(grants, rows, strict=True))


# --- Members and keys -------------------------------------------------------------------------


def test_members_invitations_and_keys_stand_together(admin, organization, staff):
    owner = User.objects.create_user("olivia@acme.test")
    people.add_member(organization, owner, "owner", by=staff, now=timezone.now())
    people.invite(organization, "nina@acme.test", "member", by=owner, now=timezone.now())
    key, _ = create_key(name="Production", organization=organization)
    page = show(admin, organization, "members").text
    told = ("olivia@acme.test", "nina@acme.test", key.prefix, f"/apikey/{key.pk}/revoke/")
    assert [fact for fact in told if fact not in page] == []
    assert f"/admin/credits/apikey/add/?organization={organization.pk}" in page


def test_who_may_not_change_them_reads_them(sign_in, organization, staff):
    owner = User.objects.create_user("olivia@acme.test")
    people.add_member(organization, owner, "owner", by=staff, now=timezone.now())
    key, _ = create_key(name="Production", organization=organization)
    page = show(sign_in("finance"), organization, "members").text
    assert "olivia@acme.test" in page
    for change in ('name="_save"', "/revoke/", "/apikey/add/"):
        assert change not in page
    form = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    client = sign_in("support")
    assert client.post(url(organization, "members"), form).status_code == 403
    assert key.revoked_at is None


def test_the_settings_are_not_changed_from_the_members(admin, organization):
    form = {"name": "Renamed", "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    admin.post(url(organization, "members"), form)
    organization.refresh_from_db()
    assert organization.name == "Acme"


# --- Notes ------------------------------------------------------------------------------------


def note(text: str = "Called <b>today</b>", **changes) -> dict:
    return {"text": text, "note_id": str(uuid4()), **changes}


def test_support_adds_notes_and_everybody_reads_them_newest_first(sign_in, organization):
    support = sign_in("support")
    for text in ("Wants a yearly plan", "Called <b>today</b>"):
        assert support.post(url(organization, "notes"), note(text)).status_code == 302
    page = show(sign_in("finance"), organization, "notes").text
    assert "Called &lt;b&gt;today&lt;/b&gt;" in page
    assert page.index("Called") < page.index("yearly")
    assert support.user.email in page
    assert 'name="text"' not in page


def test_who_may_only_read_notes_adds_none(sign_in, organization):
    assert sign_in("finance").post(url(organization, "notes"), note()).status_code == 403
    assert not Note.objects.exists()


def test_a_note_sent_twice_is_added_once(admin, organization):
    form = note()
    for _ in range(2):
        page = admin.post(url(organization, "notes"), form, follow=True)
    assert "sent before" in page.text
    assert Note.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"text": "  "}, "This field is required"),
        ({"text": "x" * 2001}, "at most 2000 characters"),
        ({"text": "a\0"}, "Null characters are not allowed"),
        ({"note_id": "one"}, "lost its one-time id"),
    ],
)
def test_a_wrong_note_is_explained_and_not_added(admin, organization, changes, told):
    page = admin.post(url(organization, "notes"), note(**changes))
    assert told in page.text
    assert not Note.objects.exists()


def test_the_database_keeps_every_note(admin, organization):
    admin.post(url(organization, "notes"), note())
    for rewrite in (
        lambda: Note.objects.update(text="Nothing"),
        lambda: Note.objects.all().delete(),
        lambda: Note.objects.create(
            organization=organization, author=admin.user, text="", created_at=timezone.now()
        ),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            rewrite()
    assert Note.objects.get().text == note()["text"]


# --- Staff changes ----------------------------------------------------------------------------


def test_all_that_staff_changed_stands_in_one_list_newest_first(admin, organization):
    page_url = url(organization, "change")
    key, _ = create_key(name="Production", organization=organization)
    admin.post(url(organization, "suspend"))
    admin.post(reverse("admin:credits_apikey_revoke", args=[key.pk]))
    ledger.adjust(organization, 7, reason="By the API", actor=admin.user, now=timezone.now())
    form = {"name": "Acme & Sons", "weekly_credits": "50", "initial-weekly_credits": "50"}
    admin.post(page_url, form)
    rows = show(admin, organization, "history").context["table"]["rows"]
    assert [row[2] for row in rows] == [
        "Changed Name.",
        "Granted +7: By the API",
        "Revoked.",
        "Suspended.",
    ]
    assert {str(row[1]) for row in rows} == {admin.user.email}


def test_what_happened_to_others_is_not_told(admin, organization, staff):
    other = Organization.objects.create(name="Zenith")
    admin.post(url(other, "suspend"))
    ledger.adjust(other, 7, reason="Gift", actor=staff, now=timezone.now())
    spend(organization)
    assert show(admin, organization, "history").context["table"]["rows"] == []


def test_a_removed_member_is_told(admin, organization, staff):
    for name, role in (("olivia", "owner"), ("nina", "member")):
        user = User.objects.create_user(f"{name}@acme.test")
        people.add_member(organization, user, role, by=staff, now=timezone.now())
    membership = organization.memberships.get(role="member")
    admin.post(f"/admin/credits/membership/{membership.pk}/delete/", {"post": "yes"})
    assert "Removed member nina@acme.test" in show(admin, organization, "history").text


def test_the_log_of_rows_that_one_may_not_see_is_left_out(sign_in, admin, organization):
    key, _ = create_key(name="Production", organization=organization)
    admin.post(reverse("admin:credits_apikey_revoke", args=[key.pk]))
    client = sign_in("somebody")
    wanted = ("view_organization", "view_entry")
    client.user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    assert "Revoked" not in show(client, organization, "history").text
    assert "Revoked" in show(admin, organization, "history").text


def test_the_history_turns_pages(admin, organization):
    for number in range(51):
        ledger.adjust(organization, 1, reason=f"no. {number}", actor=admin.user, now=timezone.now())
    first, second = (show(admin, organization, "history", page=page) for page in ("1", "2"))
    assert "no. 50" in first.text
    assert "no. 0" in second.text
    assert (len(first.context["turned"].rows), len(second.context["turned"].rows)) == (50, 1)
    for nonsense in ("0", "-1", "x", "99999", "²"):
        assert show(admin, organization, "history", page=nonsense)
