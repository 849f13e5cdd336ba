"""Members: who sees them, who changes them, and that an owner always remains."""

import pytest
from django.db import IntegrityError, InternalError, ProgrammingError, transaction
from django.test import Client
from django.utils import timezone

from credits import people
from credits.models import Activity, Membership, Organization, User
from tests.concurrency.threads import at_once
from tests.credits.team import join, roles, signed_in


@pytest.fixture
def dana(organization) -> User:
    return join(organization, "dana@acme.test")


@pytest.fixture
def client(dana):
    """Dana's, who owns the organization."""
    return signed_in(dana)


def membership(organization: Organization, user: User) -> Membership:
    return organization.memberships.get(user=user)


def set_role(client, organization, user, role):
    url = f"/members/{membership(organization, user).pk}/role/"
    return client.post(url, {"role": role}, follow=True)


def remove(client, organization, user):
    url = f"/members/{membership(organization, user).pk}/remove/"
    return client.post(url, follow=True)


def test_all_members_see_the_members_and_only_owners_what_changes_them(client, organization):
    nina = join(organization, "nina@acme.test", "member")
    User.objects.filter(pk=nina.pk).update(first_name="Nina", last_name="Reed")
    for viewer in (client, signed_in(nina)):
        page = viewer.get("/members/").text
        assert "dana@acme.test" in page
        assert "Nina Reed <small>nina@acme.test</small>" in page
    assert "Invite somebody" in client.get("/members/").text
    seen_by_member = signed_in(nina).get("/members/").text
    for control in ("Invite somebody", "/role/", "/activity/", "Remove"):
        assert control not in seen_by_member


def test_owners_change_roles(client, organization):
    nina = join(organization, "nina@acme.test", "member")
    page = set_role(client, organization, nina, "owner").text
    assert "The role of nina@acme.test is now: Owner." in page
    assert roles(organization) == {"dana": "owner", "nina": "owner"}
    set_role(client, organization, nina, "member")
    assert roles(organization) == {"dana": "owner", "nina": "member"}


@pytest.mark.parametrize("role", ["", "boss", "staff"])
def test_there_are_no_other_roles(client, organization, role):
    nina = join(organization, "nina@acme.test", "member")
    assert "Choose one of the roles" in set_role(client, organization, nina, role).text
    assert roles(organization)["nina"] == "member"


def test_removing_asks_first_and_then_closes_the_door(client, organization):
    nina = join(organization, "nina@acme.test", "owner")
    url = f"/members/{membership(organization, nina).pk}/remove/"
    assert "Remove nina@acme.test?" in client.get(url).text
    assert "nina" in roles(organization)
    assert "nina@acme.test is removed" in client.post(url, follow=True).text
    assert "don’t belong to an organization" in signed_in(nina).get("/members/").text
    assert signed_in(nina).get("/keys/").status_code == 403
    assert client.post(url).status_code == 404


def test_a_member_leaves(client, organization):
    nina = join(organization, "nina@acme.test", "member")
    url = f"/members/{membership(organization, nina).pk}/remove/"
    hers = signed_in(nina)
    assert f'href="{url}"' in hers.get("/members/").text
    assert "Leave Acme?" in hers.get(url).text
    assert "You left Acme" in hers.post(url, follow=True).text
    assert roles(organization) == {"dana": "owner"}


def test_the_last_owner_neither_leaves_nor_steps_down(client, organization, dana):
    join(organization, "nina@acme.test", "member")
    for refused in (
        remove(client, organization, dana),
        set_role(client, organization, dana, "member"),
    ):
        assert "Acme needs an owner. Make somebody else an owner first." in refused.text
    assert roles(organization) == {"dana": "owner", "nina": "member"}
    assert not Activity.objects.exists()


def test_an_owner_who_cannot_sign_in_does_not_count(client, organization, dana):
    nina = join(organization, "nina@acme.test", "owner")
    User.objects.filter(pk=nina.pk).update(is_active=False)
    assert "needs an owner" in remove(client, organization, dana).text
    remove(client, organization, nina)
    assert roles(organization) == {"dana": "owner"}


def test_an_owner_hands_over_and_leaves(client, organization, dana):
    nina = join(organization, "nina@acme.test", "member")
    set_role(client, organization, nina, "owner")
    assert "You left Acme" in remove(client, organization, dana).text
    assert roles(organization) == {"nina": "owner"}


def test_members_change_nobody(client, organization, dana):
    nina = join(organization, "nina@acme.test", "member")
    hers = signed_in(nina)
    owners = membership(organization, dana).pk
    assert hers.post("/members/", {"email": "x@acme.test", "role": "owner"}).status_code == 403
    assert hers.post(f"/members/{owners}/role/", {"role": "member"}).status_code == 403
    assert hers.get(f"/members/{owners}/remove/").status_code == 403
    assert hers.post(f"/members/{owners}/remove/").status_code == 403
    mine = membership(organization, nina).pk
    assert hers.post(f"/members/{mine}/role/", {"role": "owner"}).status_code == 403
    assert hers.get("/activity/").status_code == 403
    assert roles(organization) == {"dana": "owner", "nina": "member"}
    assert not organization.invitations.exists()


def test_nobody_changes_another_organization(client, organization):
    other = Organization.objects.create(name="Zenith")
    zoe = join(other, "zoe@zenith.test")
    invited = people.invite(other, "zack@zenith.test", "member", by=zoe, now=timezone.now())
    theirs = membership(other, zoe).pk
    known = f"?organization={other.public_id}"
    for url in (f"/members/{known}", f"/activity/{known}", f"/members/{theirs}/remove/"):
        assert client.get(url).status_code == 404
    for url in (
        f"/members/{known}",
        f"/members/{theirs}/role/",
        f"/members/{theirs}/remove/",
        f"/members/invitations/{invited.pk}/send/",
        f"/members/invitations/{invited.pk}/withdraw/",
    ):
        form = {"email": "dana@acme.test", "role": "member"}
        assert client.post(url, form).status_code == 404
    assert roles(other) == {"zoe": "owner"}
    invited.refresh_from_db()
    assert invited.is_open


def test_an_owner_here_is_not_one_where_they_are_a_member(client, organization, dana):
    other = Organization.objects.create(name="Zenith")
    zoe = join(other, "zoe@zenith.test")
    join(other, dana.email, "member")
    invited = people.invite(other, "zack@zenith.test", "member", by=zoe, now=timezone.now())
    assert client.post(f"/members/{membership(other, zoe).pk}/remove/").status_code == 403
    url = f"/members/invitations/{invited.pk}/withdraw/"
    assert client.post(url).status_code == 403
    assert client.get(f"/members/?organization={other.public_id}").status_code == 200
    assert client.get(f"/activity/?organization={other.public_id}").status_code == 404


def test_pages_of_people_are_for_those_who_sign_in(organization, dana):
    stranger = signed_in(User.objects.create_user("stranger@example.com"))
    assert "don’t belong to an organization" in stranger.get("/members/").text
    for url in ("/members/", "/activity/", f"/members/{membership(organization, dana).pk}/remove/"):
        assert Client().get(url).url == f"/accounts/login/?next={url}"


# Two owners at the same moment


def test_two_owners_who_remove_each_other_at_once_leave_one(committed_db):
    for number in range(8):
        organization = Organization.objects.create(name=f"Acme {number}")
        owners = [join(organization, f"{name}{number}@acme.test") for name in ("dana", "nina")]
        now = timezone.now()

        def remove_the_other(by: User, organization=organization, now=now) -> None:
            other = organization.memberships.exclude(user=by).get()
            people.remove(other, by=by, now=now)

        outcomes = at_once(remove_the_other, owners)
        assert list(roles(organization).values()) == ["owner"], outcomes


def test_owners_who_leave_and_step_down_at_once_leave_one(committed_db):
    organization = Organization.objects.create(name="Acme")
    for number in range(6):
        join(organization, f"owner{number}@acme.test")

    def go(membership: Membership) -> None:
        if membership.pk % 2:
            people.remove(membership, by=membership.user, now=timezone.now())
        else:
            people.change_role(membership, "member", by=membership.user, now=timezone.now())

    outcomes = at_once(go, list(organization.memberships.select_related("user", "organization")))
    assert sum(isinstance(outcome, people.PeopleError) for outcome in outcomes) == 1, outcomes
    assert list(roles(organization).values()).count("owner") == 1


def test_the_database_itself_keeps_the_last_owner(committed_db):
    """Whoever goes around the verbs, even two at the same moment, is stopped at commit."""
    organization = Organization.objects.create(name="Acme")
    for name in ("dana", "nina"):
        join(organization, f"{name}@acme.test")

    def delete(pk: int) -> None:
        Membership.objects.filter(pk=pk).delete()

    pks = list(organization.memberships.values_list("pk", flat=True))
    outcomes = at_once(delete, pks)
    refused = (InternalError, IntegrityError, ProgrammingError)
    assert sum(isinstance(outcome, refused) for outcome in outcomes) == 1, outcomes
    assert "needs an owner" in str(next(one for one in outcomes if one is not None))
    assert list(roles(organization).values()) == ["owner"]


def test_an_owner_is_replaced_in_any_order(committed_db):
    organization = Organization.objects.create(name="Acme")
    dana, nina = (join(organization, f"{name}@acme.test") for name in ("dana", "nina"))
    with transaction.atomic():
        organization.memberships.all().update(role="member")
        organization.memberships.filter(user=nina).update(role="owner")
    assert roles(organization) == {dana.email[:4]: "member", "nina": "owner"}
