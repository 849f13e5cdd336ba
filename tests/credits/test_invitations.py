"""Invitations: from the owner's form through the emailed link to membership."""

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from credits import people, tasks
from credits.models import Email, Invitation, Membership, Organization, User
from tests.concurrency.threads import at_once
from tests.credits.support import MONDAY
from tests.credits.team import PASSWORD, emailed_link, join, roles, signed_in

NINA = "nina@acme.test"
PASSWORDS = {"password1": "seven-green-kites-4", "password2": "seven-green-kites-4"}


@pytest.fixture(autouse=True)
def quick(settings):
    """No limits left over from another test, and passwords hashed in no time."""
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.BASE_URL = "http://testserver"
    yield
    cache.clear()


@pytest.fixture
def dana(organization) -> User:
    return join(organization, "dana@acme.test")


@pytest.fixture
def client(dana):
    """Dana's, who owns the organization."""
    return signed_in(dana)


def invite(client: Client, email: str = NINA, role: str = "member"):
    return client.post("/members/", {"email": email, "role": role}, follow=True)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


# The owner's side


def test_an_owner_invites_and_the_email_carries_a_link(client, organization):
    assert "nina@acme.test is invited." in invite(client, "  Nina@ACME.test ", "owner").text
    invitation = organization.invitations.get()
    assert (invitation.email, invitation.role) == (NINA, "owner")
    assert invitation.expires_at - invitation.sent_at == timedelta(days=7)
    tasks.send_mail()
    (message,) = mail.outbox
    assert message.to == [NINA]
    assert message.subject == "dana@acme.test invites you to Acme"
    ((html, _),) = message.alternatives
    link = re.search(r"http://testserver/invitations/\S+/", message.body)
    assert link is not None
    assert f'href="{link[0]}"' in html
    assert "as an owner" in message.body
    assert "as an owner" in html


def test_the_link_is_stored_nowhere_and_staff_cannot_read_it(client, admin, organization):
    invite(client)
    secret = emailed_link().split("/")[2]
    signature = secret.split(".")[1]
    email = Email.objects.get()
    pages = (
        f"/admin/credits/email/{email.pk}/change/",
        "/admin/credits/email/",
        f"/admin/credits/invitation/{organization.invitations.get().pk}/change/",
        "/admin/credits/activity/",
    )
    for page in pages:
        assert signature not in admin.get(page).text
    stored = [*Email.objects.values(), *Invitation.objects.values()]
    assert signature not in str(stored)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({}, "This field is required"),
        ({"email": NINA}, "This field is required"),
        ({"email": "nina", "role": "member"}, "Enter a valid email address"),
        ({"email": "a\0b@acme.test", "role": "member"}, "Null characters are not allowed"),
        ({"email": f"{'n' * 320}@acme.test", "role": "member"}, "at most 254 characters"),
        ({"email": NINA, "role": "boss"}, "Select a valid choice"),
        ({"email": "Dana@acme.test", "role": "member"}, "is a member already"),
    ],
)
def test_a_wrong_invitation_says_why_and_sends_nothing(client, form, message):
    page = client.post("/members/", form).text
    assert message in page
    assert not Invitation.objects.exists()
    assert not Email.objects.exists()


def test_an_address_is_invited_once_and_the_database_says_so_too(client, organization, dana):
    invite(client)
    assert "is invited already" in invite(client, NINA.upper()).text
    assert Email.objects.count() == 1
    again = {name: getattr(organization.invitations.get(), name) for name in ("email", "role")}
    now = timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        organization.invitations.create(
            **again, invited_by=dana, created_at=now, sent_at=now, expires_at=now + timedelta(1)
        )


def test_inviting_does_not_tell_whether_an_address_has_an_account(client):
    User.objects.create_user("known@example.com", PASSWORD)
    known, unknown = (invite(client, f"{name}@example.com").text for name in ("known", "other"))
    assert "known@example.com is invited." in known
    assert "other@example.com is invited." in unknown
    row = r"<tr>\s*<td[^>]*>{}@example.com.*?</tr>"
    page = client.get("/members/").text
    rows = [
        re.sub(rf"{name}|\d+|value=\"\w+\"", "", re.search(row.format(name), page, re.DOTALL)[0])
        for name in ("known", "other")
    ]
    assert rows[0] == rows[1]


def test_sending_again_makes_it_last_another_week(client, organization, set_clock):
    set_clock(MONDAY)
    invite(client)
    link = emailed_link()
    set_clock(MONDAY + timedelta(days=8))
    assert Client().get(link).status_code == 410
    assert "Expired" in client.get("/members/").text
    pk = organization.invitations.get().pk
    assert "sent again" in client.post(f"/members/invitations/{pk}/send/", follow=True).text
    assert Client().get(emailed_link()).status_code == 200
    assert Client().get(link).status_code == 200
    assert len(mail.outbox) == 2


def test_a_withdrawn_invitation_opens_nothing(client, organization):
    invite(client)
    link = emailed_link()
    pk = organization.invitations.get().pk
    withdraw = f"/members/invitations/{pk}/withdraw/"
    assert "is withdrawn" in client.post(withdraw, follow=True).text
    response = Client().post(link, PASSWORDS)
    assert response.status_code == 410
    assert "It was withdrawn" in response.text
    assert not User.objects.filter(email=NINA).exists()
    for url in (withdraw, f"/members/invitations/{pk}/send/"):
        assert "accepted or withdrawn meanwhile" in client.post(url, follow=True).text
    assert len(mail.outbox) == 1
    assert "is invited." in invite(client).text


def test_nobody_uses_us_to_write_to_many(client, organization, monkeypatch, set_clock):
    set_clock(MONDAY)
    monkeypatch.setattr(people, "MAX_OPEN_INVITATIONS", 3)
    monkeypatch.setattr(people, "MAX_INVITATION_EMAILS_A_DAY", 5)
    for number in range(3):
        invite(client, f"{number}@acme.test")
    assert "3 open invitations at most" in invite(client).text
    for number in range(3):
        invited = people.open_invitations(organization).first()
        client.post(f"/members/invitations/{invited.pk}/withdraw/")
        page = invite(client, f"more{number}@acme.test").text
    assert "enough invitations for today" in page
    assert Email.objects.count() == 5
    set_clock(MONDAY + timedelta(days=1, seconds=1))
    assert "is invited" in invite(client).text


def test_nobody_uses_us_to_write_to_one_again_and_again(client, organization):
    invite(client)
    pk = organization.invitations.get().pk
    for _ in range(3):
        page = client.post(f"/members/invitations/{pk}/send/", follow=True).text
    assert "got enough invitations today" in page
    client.post(f"/members/invitations/{pk}/withdraw/")
    assert "got enough invitations today" in invite(client).text
    assert Email.objects.count() == 3


# The invited person's side


def test_a_newcomer_chooses_a_password_and_is_a_member(client, organization, settings):
    assert settings.SIGNUP_OPEN is False
    invite(client)
    link = emailed_link()
    visitor = Client()
    page = visitor.get(link)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert "dana@acme.test invites you to be a member" in page.text
    response = visitor.post(link, PASSWORDS, follow=True)
    assert "Welcome! You now belong to Acme." in response.text
    assert response.redirect_chain == [(f"/members/?organization={organization.public_id}", 302)]
    assert is_signed_in(visitor)
    assert roles(organization) == {"dana": "owner", "nina": "member"}
    address = EmailAddress.objects.get()
    assert (address.email, address.verified, address.primary) == (NINA, True, True)
    credentials = {"login": NINA, "password": PASSWORDS["password1"]}
    assert Client().post("/accounts/login/", credentials).status_code == 302


def test_where_addresses_are_confirmed_the_link_has_done_it(client, organization, settings):
    settings.SIGNUP_OPEN = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    invite(client)
    visitor = Client()
    visitor.post(emailed_link(), PASSWORDS)
    assert is_signed_in(visitor)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("passwords", "message"),
    [
        ({}, "This field is required"),
        ({"password1": "12345", "password2": "12345"}, "too short"),
        ({"password1": NINA, "password2": NINA}, "too similar to the email address"),
        ({**PASSWORDS, "password2": "another-one-5"}, "must type the same password"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(client, organization, passwords, message):
    invite(client)
    visitor = Client()
    assert message in visitor.post(emailed_link(), passwords).text
    assert not User.objects.filter(email=NINA).exists()
    assert not is_signed_in(visitor)
    assert organization.invitations.get().is_open


def test_somebody_with_an_account_signs_in_first_and_accepts_with_one_click(client, organization):
    User.objects.create_user(NINA, PASSWORD)
    invite(client, role="owner")
    link = emailed_link()
    visitor = Client()
    page = visitor.get(link).text
    assert "You have an account with" in page
    assert "password1" not in page
    assert "You have an account with" in visitor.post(link, PASSWORDS).text
    sign_in = re.search(r'href="(/accounts/login/\?next=[^"]+)"', page)
    credentials = {"login": NINA, "password": PASSWORD, "next": link}
    assert visitor.post(sign_in[1], credentials).url == link
    assert "Accept the invitation" in visitor.get(link).text
    assert "nina" not in roles(organization)
    assert "You now belong to Acme" in visitor.post(link, follow=True).text
    assert roles(organization) == {"dana": "owner", "nina": "owner"}


def test_a_forwarded_link_lets_nobody_else_in(client, organization):
    invite(client)
    link = emailed_link()
    eve = signed_in(User.objects.create_user("eve@example.com", PASSWORD))
    for response in (eve.get(link), eve.post(link), eve.post(link, PASSWORDS)):
        assert response.status_code == 403
        assert "The invitation is for <strong>nina@acme.test</strong>" in response.text
    assert roles(organization) == {"dana": "owner"}
    signed_out = eve.post("/accounts/logout/", {"next": link})
    assert signed_out.url == link
    assert "Choose a password" in eve.get(link).text


def test_a_link_works_once(client, organization):
    invite(client)
    link = emailed_link()
    Client().post(link, PASSWORDS)
    nina = User.objects.get(email=NINA)
    membership = Membership.objects.get(user=nina)
    people.remove(membership, by=User.objects.get(email="dana@acme.test"), now=timezone.now())
    for visitor in (Client(), signed_in(nina)):
        for response in (visitor.get(link), visitor.post(link, PASSWORDS)):
            assert response.status_code == 410
            assert "It was accepted already" in response.text
    assert roles(organization) == {"dana": "owner"}


def test_a_link_expires_to_the_second(client, set_clock):
    set_clock(MONDAY)
    invite(client)
    link = emailed_link()
    set_clock(MONDAY + timedelta(days=7, microseconds=-1))
    assert Client().get(link).status_code == 200
    set_clock(MONDAY + timedelta(days=7))
    response = Client().post(link, PASSWORDS)
    assert response.status_code == 410
    assert "It is too old" in response.text
    assert not User.objects.filter(email=NINA).exists()


def test_a_link_that_was_tampered_with_is_not_found(client, organization):
    invite(client)
    invite(client, "other@acme.test")
    token = emailed_link().split("/")[2]
    first, signature = token.split(".")
    other = str(int(first) - 1)
    for forged in (
        first,
        f"{other}.{signature}",
        f"{first}.x{signature[1:]}",
        f"{first}.",
        "é",
        "0",
    ):
        response = Client().get(f"/invitations/{forged}/")
        assert response.status_code == 404
        assert "Acme" not in response.text


def test_somebody_who_became_a_member_meanwhile_keeps_their_role(client, organization):
    nina = User.objects.create_user(NINA, PASSWORD)
    invite(client, role="member")
    link = emailed_link()
    Membership.objects.create(organization=organization, user=nina, role="owner")
    assert "You now belong to Acme" in signed_in(nina).post(link, follow=True).text
    assert roles(organization)["nina"] == "owner"
    assert not people.open_invitations(organization).exists()


def test_too_many_tries_at_a_link_are_told_to_wait(client, settings):
    settings.ACCOUNT_RATE_LIMITS = {"signup": "2/m/ip"}
    invite(client)
    link = emailed_link()
    visitor = Client()
    weak = {"password1": "12345", "password2": "12345"}
    assert [visitor.post(link, weak).status_code for _ in range(3)] == [200, 200, 429]


def test_the_same_link_pressed_many_times_at_once_makes_one_member(committed_db):
    organization = Organization.objects.create(name="Acme")
    dana = join(organization, "dana@acme.test")
    people.invite(organization, NINA, "member", by=dana, now=timezone.now())
    link = emailed_link()
    seen = at_once(lambda _: Client().post(link, PASSWORDS).status_code, range(5))
    # One is let in; the others find an account to sign in with, or the invitation accepted.
    assert set(seen) <= {200, 302, 410}, seen
    assert roles(organization) == {"dana": "owner", "nina": "member"}
    assert User.objects.filter(email=NINA).count() == 1
    assert organization.activities.filter(kind="joined").count() == 1


def test_two_organizations_that_invite_one_person_make_one_account(committed_db):
    links = []
    for name in ("Acme", "Bolt"):
        organization = Organization.objects.create(name=name)
        dana = join(organization, "dana@acme.test")
        people.invite(organization, NINA, "member", by=dana, now=timezone.now())
        links.append(emailed_link())
    seen = at_once(lambda link: Client().post(link, PASSWORDS).status_code, links)
    assert 302 in seen, seen
    assert User.objects.filter(email=NINA).count() == 1


def test_many_invitations_at_once_stay_within_the_limit(committed_db, monkeypatch):
    monkeypatch.setattr(people, "MAX_OPEN_INVITATIONS", 3)
    organization = Organization.objects.create(name="Acme")
    dana = join(organization, "dana@acme.test")

    def invite_one(number: int) -> None:
        address = f"{number}@acme.test"
        people.invite(organization, address, "member", by=dana, now=timezone.now())

    at_once(invite_one, range(8))
    assert organization.invitations.count() == 3
