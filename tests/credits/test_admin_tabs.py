"""The tabs of an organization's page in the admin: who may see which, and what each tells."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from credits import ledger, movements, people
from credits.access import create_key
from credits.models import Entry, Grant, Note, Organization, Spend, User
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


# --- Activity ---------------------------------------------------------------------------------


@pytest.fixture
def history(organization, staff):
    """Spends with two keys, a hold, and entries of staff, an hour apart."""
    shop, _ = create_key(name="Shop", organization=organization)
    cms, _ = create_key(name="CMS", organization=organization)
    ledger.adjust(organization, 500, reason="Gift", actor=staff, now=MONDAY)
    for hour in range(1, 7):
        spend(
            organization,
            hour,
            now=MONDAY + hour * HOUR,
            reference=f"asset-{hour}",
            idempotency_key=f"key-{hour}",
            api_key=shop if hour < 4 else cms,
        )
    fields = {"quantity": 2, "reference": "cut-1", "now": MONDAY + 7 * HOUR}
    ledger.hold(organization, "background.remove", **fields)
    return organization


def references(page) -> list[str]:
    return [row.reference for row in page.context["found"].rows]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["cut-1", "asset-6", "asset-5", "asset-4", "asset-3", "asset-2", "asset-1"]),
        ({"reference": "asset-5"}, ["asset-5"]),
        ({"reference": "asset", "api_key": "sho"}, ["asset-1", "asset-2", "asset-3"]),
        ({"action": "BACKGROUND"}, ["cut-1"]),
        ({"action": "nothing-like-it"}, []),
        ({"api_key": "shop"}, ["asset-3", "asset-2", "asset-1"]),
        ({"idempotency_key": "key-2"}, ["asset-2"]),
        ({"idempotency_key": "key"}, []),
        ({"idempotency_key": "key-2", "reference": "asset-3"}, []),
        ({"state": "held"}, ["cut-1"]),
        ({"start": "2026-11-23T02:00", "end": "2026-11-23T04:00"}, ["asset-3", "asset-2"]),
        ({"reference": "asset", "start": "2026-11-23T06:00"}, ["asset-6"]),
    ],
)
def test_spends_are_found_by_what_is_known_of_them(admin, history, query, found):
    assert references(show(admin, history, "activity", **query)) == found


@pytest.mark.parametrize(
    ("query", "credits"),
    [
        ({"state": "grant"}, [500, 50]),
        ({"reference": "asset-4"}, [-4]),
        ({"idempotency_key": "key-2"}, [-2]),
        ({"action": "background"}, [-2]),
        ({"api_key": "CMS"}, [-6, -5, -4]),
        ({"start": "2026-11-23T03:00", "end": "2026-11-23T05:00"}, [-4, -3]),
        ({"start": "2026-11-23T07:00"}, [-2]),
        ({"end": "2026-11-23T00:00"}, []),
        ({"reference": "asset", "end": "2026-11-23T03:00"}, [-2, -1]),
        ({"state": "spend", "start": "2026-11-23T06:00"}, [-6]),
    ],
)
def test_entries_are_found_by_what_is_known_of_them(admin, history, query, credits):
    page = show(admin, history, "activity", list="entries", **query)
    assert [row.credits for row in page.context["found"].rows] == credits


@pytest.mark.parametrize("chosen", ["spends", "entries"])
def test_pages_are_turned_to_the_end_without_a_row_lost_or_shown_twice(
    admin, history, monkeypatch, chosen
):
    monkeypatch.setattr(movements, "ROWS_PER_PAGE", 2)
    seen, after = [], ""
    while after is not None:
        found = show(admin, history, "activity", list=chosen, after=after).context["found"]
        seen += [row.pk for row in found.rows]
        after = found.after
    rows = history.spends if chosen == "spends" else history.entries
    assert sorted(seen) == sorted(rows.values_list("pk", flat=True))
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"api_key": "shop"}, ["asset-3", "asset-2", "asset-1"]),
        ({"reference": "asset", "api_key": "cms"}, ["asset-4", "asset-5", "asset-6"]),
        ({"list": "entries", "api_key": "shop"}, ["asset-3", "asset-2", "asset-1"]),
    ],
)
def test_a_search_looks_at_so_many_rows_and_goes_on_where_it_stopped(
    admin, history, monkeypatch, query, found
):
    monkeypatch.setattr(movements, "SCANNED_ROWS", 3)
    seen, after, cuts = [], "", 0
    while after is not None:
        page = show(admin, history, "activity", after=after, **query)
        rows = page.context["found"].rows
        seen += [(row.spend if isinstance(row, Entry) else row).reference for row in rows]
        after, was_cut = page.context["found"].after, page.context["found"].is_cut
        assert ("Search further back" in page.text) == was_cut
        cuts += was_cut
    assert seen == found
    assert cuts


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"start": "soon"}, "Enter a valid date/time"),
        ({"reference": "x\0"}, "Null characters are not allowed"),
        ({"state": "lost"}, "Select a valid choice"),
        ({"start": "2026-11-23T02:00", "end": "2026-11-23T01:00"}, "a moment after the first"),
        ({"reference": "x" * 256}, "at most 255 characters"),
    ],
)
def test_what_cannot_be_searched_is_said_and_nothing_is_listed(admin, history, query, told):
    page = show(admin, history, "activity", **query)
    assert told in page.text
    assert page.context["found"].rows == []


@pytest.mark.parametrize(
    "query",
    [
        {"list": "wallets"},
        {"after": "x"},
        {"after": str(uuid4())},
        {"list": "entries", "after": "x"},
        {"list": "entries", "after": "9" * 30},
    ],
)
def test_a_page_that_cannot_be_is_not_found(admin, history, query):
    assert admin.get(url(history, "activity"), query).status_code == 404


def test_rows_of_another_organization_are_never_shown(admin, history):
    other = Organization.objects.create(name="Zenith", weekly_credits=50)
    theirs = spend(other, reference="asset-theirs", idempotency_key="key-9")
    for query in ({}, {"reference": "asset-t"}, {"idempotency_key": "key-9"}, {"list": "entries"}):
        assert "asset-theirs" not in show(admin, history, "activity", **query).text.replace(
            'value="asset-t', ""
        )
    assert admin.get(url(history, "activity"), {"after": str(theirs.pk)}).status_code == 404


def test_the_list_asks_as_often_for_many_spends_as_for_few(
    admin, organization, django_assert_max_num_queries
):
    for number in range(30):
        spend(organization, reference=f"asset-{number}")
    for chosen in ("spends", "entries"):
        with django_assert_max_num_queries(10):
            show(admin, organization, "activity", list=chosen)


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
