"""The activity list: what is told, to whom, and that nobody rewrites it."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone, translation

from credits import access, activity, people
from credits.activity import Kind
from credits.models import Action, Activity, ApiKey, Membership, Organization, User
from tests.credits.support import MONDAY
from tests.credits.team import PASSWORD, join, roles, signed_in, told

ORGANIZATION = "/admin/credits/organization/"


@pytest.fixture
def dana(organization) -> User:
    return join(organization, "dana@acme.test")


@pytest.fixture
def client(dana):
    """Dana's, who owns the organization."""
    return signed_in(dana)


def invite(client, email: str, role: str = "member") -> None:
    client.post("/members/", {"email": email, "role": role})


def test_what_owners_do_with_people_is_told(client, organization):
    invite(client, "nina@acme.test")
    invited = organization.invitations.get()
    client.post(f"/members/invitations/{invited.pk}/send/")
    nina = User.objects.create_user("nina@acme.test", PASSWORD)
    people.accept(invited, nina, now=timezone.now())
    hers = organization.memberships.get(user=nina).pk
    client.post(f"/members/{hers}/role/", {"role": "owner"})
    client.post(f"/members/{hers}/role/", {"role": "owner"})
    signed_in(nina).post(f"/members/{hers}/remove/")
    invite(client, "max@acme.test", "owner")
    client.post(f"/members/invitations/{organization.invitations.first().pk}/withdraw/")
    assert told(client, organization) == [
        "dana@acme.test withdrew the invitation of max@acme.test.",
        "dana@acme.test invited max@acme.test (role: Owner).",
        "nina@acme.test left.",
        "dana@acme.test changed the role of nina@acme.test to Owner.",
        "nina@acme.test accepted the invitation (role: Member).",
        "dana@acme.test sent the invitation of nina@acme.test again.",
        "dana@acme.test invited nina@acme.test (role: Member).",
    ]


def test_what_owners_do_with_keys_is_told(client, organization):
    client.post("/keys/", {"name": "CMS"})
    key = organization.api_keys.get()
    client.post(f"/keys/{key.pk}/revoke/")
    client.post(f"/keys/{key.pk}/revoke/")
    assert told(client, organization) == [
        f"dana@acme.test revoked the API key “CMS” ({key.prefix}…).",
        f"dana@acme.test created the API key “CMS” ({key.prefix}…).",
    ]


def settings_form(organization: Organization, **changes: str) -> dict[str, str]:
    form = {
        "name": organization.name,
        "weekly_credits": str(organization.weekly_credits),
        "initial-weekly_credits": str(organization.weekly_credits),
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    }
    return {**form, **changes}


def test_what_staff_set_is_told_without_naming_them(client, admin, organization):
    url = f"{ORGANIZATION}{organization.pk}/"
    changes = {"name": "Acme & <b>Sons</b>", "weekly_credits": "1500", "show_balance": "on"}
    admin.post(f"{url}change/", settings_form(organization, **changes))
    organization.refresh_from_db()
    admin.post(f"{url}change/", settings_form(organization))
    for action in ("suspend", "suspend", "resume"):
        admin.post(f"{url}{action}/")
    assert set(told(client, organization)) == {
        "Credits staff renamed the organization “Acme” to “Acme &amp; &lt;b&gt;Sons&lt;/b&gt;”.",
        "Credits staff changed the free credits of each week from 50 to 1,500.",
        "Credits staff let you see the balance and the usage.",
        "Credits staff hid the balance and the usage.",
        "Credits staff suspended the organization.",
        "Credits staff resumed the organization.",
    }
    assert organization.activities.count() == 6
    assert admin.user.email not in client.get("/activity/").text


def test_what_staff_do_with_keys_is_told(client, admin, organization):
    keys = "/admin/credits/apikey/"
    no_end = {"expires_at_0": "", "expires_at_1": ""}
    admin.post(f"{keys}add/", {"name": "CMS", "organization": organization.pk, **no_end})
    key = ApiKey.objects.get()
    action = Action.objects.get(code="alt-text.generate")
    end = {"expires_at_0": "2999-01-31", "expires_at_1": "00:00:00"}
    changed = {"name": "Shop", "allowed_actions": [action.pk], **end}
    admin.post(f"{keys}{key.pk}/change/", changed)
    admin.post(f"{keys}{key.pk}/change/", {**changed, **no_end})
    admin.post(f"{keys}{key.pk}/revoke/")
    assert told(client, organization) == [
        f"Credits staff revoked the API key “Shop” ({key.prefix}…).",
        "Credits staff let the API key “Shop” work without an end.",
        "Credits staff let the API key “Shop” expire on Jan 31, 2999, 00:00 UTC.",
        "Credits staff restricted the API key “Shop” to alt-text.generate.",
        "Credits staff renamed the API key “CMS” to “Shop”.",
        f"Credits staff created the API key “CMS” ({key.prefix}…).",
    ]


def test_staff_replace_the_last_owner_in_one_go_and_it_is_told(admin, organization, dana):
    nina = User.objects.create_user("nina@acme.test", PASSWORD)
    old = organization.memberships.get()
    form = {
        **settings_form(organization),
        "memberships-TOTAL_FORMS": "2",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": old.pk,
        "memberships-0-organization": organization.pk,
        "memberships-0-role": "owner",
        "memberships-0-DELETE": "on",
        "memberships-1-organization": organization.pk,
        "memberships-1-user": nina.pk,
        "memberships-1-role": "owner",
    }
    members = f"{ORGANIZATION}{organization.pk}/members/"
    assert admin.post(members, form).url == members
    assert roles(organization) == {"nina": "owner"}
    assert told(signed_in(nina), organization) == [
        "Credits staff removed dana@acme.test.",
        "Credits staff added nina@acme.test (role: Owner).",
    ]


def test_staff_do_not_take_the_last_owner_away(admin, organization, dana):
    membership = organization.memberships.get()
    inline = {
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": membership.pk,
    }
    user_form = {"email": dana.email, "is_active": "on", **inline}
    tries = {
        f"{ORGANIZATION}{organization.pk}/members/": {
            **settings_form(organization, name="Renamed"),
            **inline,
            "memberships-0-organization": organization.pk,
            "memberships-0-role": "member",
        },
        f"/admin/credits/user/{dana.pk}/change/": {
            **user_form,
            "memberships-0-user": dana.pk,
            "memberships-0-role": "owner",
            "memberships-0-DELETE": "on",
        },
        f"/admin/credits/membership/{membership.pk}/change/": {"role": "member"},
        f"/admin/credits/membership/{membership.pk}/delete/": {"post": "yes"},
    }
    for url, form in tries.items():
        page = admin.post(url, form, follow=True)
        assert page.status_code == 200, url
        assert "needs an owner. Make somebody else an owner first." in page.text, url
    assert roles(organization) == {"dana": "owner"}
    organization.refresh_from_db()
    assert organization.name == "Acme"
    assert not Activity.objects.exists()


def test_a_membership_keeps_its_person_and_organization(admin, organization, dana):
    nina = User.objects.create_user("nina@acme.test")
    other = Organization.objects.create(name="Zenith")
    join(organization, "olga@acme.test")
    membership = organization.memberships.get(user=dana)
    form = {"user": nina.pk, "organization": other.pk, "role": "member"}
    admin.post(f"/admin/credits/membership/{membership.pk}/change/", form)
    membership.refresh_from_db()
    assert (membership.user, membership.organization) == (dana, organization)
    assert membership.role == "member"


def test_staff_add_and_end_memberships_on_their_own_page(client, admin, organization):
    nina = User.objects.create_user("nina@acme.test")
    form = {"user": nina.pk, "organization": organization.pk, "role": "member"}
    admin.post("/admin/credits/membership/add/", form)
    membership = Membership.objects.get(user=nina)
    admin.post(f"/admin/credits/membership/{membership.pk}/delete/", {"post": "yes"})
    assert told(client, organization) == [
        "Credits staff removed nina@acme.test.",
        "Credits staff added nina@acme.test (role: Member).",
    ]


def test_staff_but_finance_read_it_and_nobody_changes_it(sign_in, organization, dana):
    now = timezone.now()
    people.invite(organization, "nina@acme.test", "member", by=dana, now=now)
    row = Activity.objects.get()
    for group, status in (("support", 200), ("finance", 403), ("administrators", 200)):
        client = sign_in(group)
        changes = client.get("/admin/credits/activity/")
        invitations = client.get("/admin/credits/invitation/")
        assert (changes.status_code, invitations.status_code) == (status, status)
        line = "dana@acme.test invited nina@acme.test (role: Member)."
        assert (line in changes.text) == (status == 200)
        assert ("nina@acme.test" in invitations.text) == (status == 200)
        for model, pk in (("activity", row.pk), ("invitation", organization.invitations.get().pk)):
            assert client.post(f"/admin/credits/{model}/{pk}/change/", {}).status_code == 403
            assert client.post(f"/admin/credits/{model}/{pk}/delete/", {}).status_code == 403
            assert client.get(f"/admin/credits/{model}/add/").status_code == 403


def test_the_database_keeps_every_line(organization, dana):
    activity.record(organization, Kind.SUSPENDED, actor=dana, now=timezone.now())
    for rewrite in (
        lambda: Activity.objects.update(kind=Kind.RESUMED),
        lambda: Activity.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            rewrite()
    assert Activity.objects.get().kind == Kind.SUSPENDED


def test_a_line_without_its_facts_is_not_written(organization, dana):
    with pytest.raises(KeyError):
        activity.record(organization, Kind.INVITED, actor=dana, now=timezone.now(), email="x")
    assert not Activity.objects.exists()


def test_what_happened_is_told_as_it_was(client, organization, dana):
    """Somebody who left, or has another address now, is told by the one they had."""
    nina = join(organization, "nina@acme.test")
    key, _ = access.create_key(name="CMS", organization=organization, created_by=nina)
    people.remove(organization.memberships.get(user=nina), by=dana, now=timezone.now())
    User.objects.filter(pk=nina.pk).update(email="nina@elsewhere.test")
    assert told(client, organization) == [
        "dana@acme.test removed nina@acme.test.",
        f"nina@acme.test created the API key “CMS” ({key.prefix}…).",
    ]


def test_what_nobody_did_is_told_of_credits(client, organization):
    access.create_key(name="Demo", organization=organization)
    assert told(client, organization)[0].startswith("Credits created the API key “Demo”")


def test_the_list_turns_pages_with_the_newest_first(client, organization, dana, set_clock):
    for number in range(51):
        now = MONDAY + timedelta(seconds=number)
        facts = {"before": number, "credits": number + 1}
        activity.record(organization, Kind.BUNDLE_CHANGED, actor=dana, now=now, **facts)
    first, second = (client.get("/activity/", {"page": page}).text for page in (1, 2))
    assert first.count("<li>") == 50
    assert "from 50 to 51" in first
    assert "from 0 to 1" in second
    assert 'datetime="2026-11-23T00:00:00+00:00"' in second
    assert client.get("/activity/", {"page": "nonsense"}).status_code == 200


def test_a_sentence_is_translated_as_a_whole(client, organization, dana, monkeypatch):
    activity.record(organization, Kind.MEMBER_LEFT, actor=dana, now=timezone.now())
    monkeypatch.setattr(translation._trans, "gettext", lambda message: f"«{message}»")
    assert "«dana@acme.test left.»" in client.get("/activity/").text
