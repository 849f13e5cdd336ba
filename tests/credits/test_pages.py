"""The customers' pages about credits: the frame, API keys, problems and error pages."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from credits import access
from credits.api.problems import PROBLEMS
from credits.models import Action, ApiKey, Membership, Organization, User, Wording

SECRET = re.compile(r"ck_org_\w+(?=</code>)")

pytestmark = pytest.mark.django_db


def member(organization: Organization, email: str, role: Membership.Role) -> User:
    user, _ = User.objects.get_or_create(email=email)
    Membership.objects.create(organization=organization, user=user, role=role)
    return user


@pytest.fixture
def owner(organization) -> User:
    return member(organization, "owner@example.com", Membership.Role.OWNER)


@pytest.fixture
def owner_client(owner) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def member_client(organization) -> Client:
    client = Client()
    client.force_login(member(organization, "member@example.com", Membership.Role.MEMBER))
    return client


@pytest.fixture
def key(organization) -> ApiKey:
    return access.create_key(name="Production CMS", organization=organization)[0]


def secret_in(response) -> str:
    secret = SECRET.search(response.text)
    assert secret is not None
    return secret[0]


def works(secret: str) -> bool:
    response = Client().get("/api/v1/actions", headers={"Authorization": f"Bearer {secret}"})
    return response.status_code == 200


# The frame


def test_pages_carry_the_name_staff_gave_the_credits(client):
    Wording.objects.update(credits_name="sun credits")
    assert "Sun credits</title>" in client.get("/accounts/login/").text


def test_every_page_says_that_the_sandbox_stands_in(client, settings):
    assert "No real money moves here" in client.get("/accounts/login/").text
    settings.STRIPE_SANDBOX = False
    assert "No real money moves here" not in client.get("/accounts/login/").text


def test_only_owners_are_led_to_api_keys(owner_client, member_client):
    page = reverse("account_change_password")
    assert 'href="/keys/"' in owner_client.get(page).text
    assert 'href="/keys/"' not in member_client.get(page).text


def test_pages_hold_no_inline_styles_or_scripts(owner_client, key):
    for url in ("/keys/", f"/keys/{key.pk}/revoke/", "/accounts/password/change/", "/nothing/"):
        text = owner_client.get(url).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text), url


# API keys


def test_a_new_keys_secret_is_shown_once_and_works(owner_client, organization, owner):
    response = owner_client.post("/keys/", {"name": "Production CMS"})
    secret = secret_in(response)
    assert works(secret)
    assert "no-store" in response["Cache-Control"]
    assert secret not in str(dict(owner_client.session))
    key = organization.api_keys.get()
    assert (key.name, key.created_by, key.expires_at) == ("Production CMS", owner, None)

    listed = owner_client.get("/keys/").text
    assert "Production CMS" in listed
    assert key.prefix in listed
    assert secret not in listed


def test_a_key_can_expire_and_be_restricted_to_actions(owner_client, organization, set_clock):
    action = Action.objects.get(code="alt-text.generate")
    tomorrow = timezone.now().date() + timedelta(days=1)
    form = {"name": "Trial", "expires_on": tomorrow.isoformat(), "allowed_actions": [action.pk]}
    secret = secret_in(owner_client.post("/keys/", form))

    midnight = datetime.combine(tomorrow, datetime.min.time(), UTC)
    set_clock(midnight - timedelta(microseconds=1))
    assert works(secret)
    set_clock(midnight)
    assert not works(secret)
    assert list(organization.api_keys.get().allowed_actions.all()) == [action]
    assert "alt-text.generate" in owner_client.get("/keys/").text


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({}, "This field is required"),
        ({"name": " "}, "This field is required"),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"name": "a\0b"}, "Null characters are not allowed"),
        ({"name": "Trial", "expires_on": "2020-01-01"}, "Choose a day after today"),
        ({"name": "Trial", "expires_on": "soon"}, "Enter a valid date"),
        ({"name": "Trial", "allowed_actions": ["no"]}, "is not a valid value"),
        ({"name": "Trial", "allowed_actions": ["999999"]}, "Select a valid choice"),
    ],
)
def test_a_wrong_form_says_why_and_makes_no_key(owner_client, form, message):
    assert message in owner_client.post("/keys/", form).text
    assert not ApiKey.objects.exists()


def test_keys_tell_their_state(owner_client, organization, key):
    access.revoke_key(key, now=timezone.now())
    yesterday = timezone.now() - timedelta(days=1)
    access.create_key(name="Old", organization=organization, expires_at=yesterday)
    access.create_key(name="Now", organization=organization)
    text = owner_client.get("/keys/").text
    badges = re.findall(r'class="badge[^>]*>(\w+)<', text)
    assert badges == ["Active", "Expired", "Revoked"]
    assert f"/keys/{key.pk}/revoke/" not in text


def test_revoking_asks_first_and_then_stops_the_key(owner_client, organization):
    key, secret = access.create_key(name="Production CMS", organization=organization)
    url = reverse("revoke-key", args=[key.pk])
    assert "Revoke “Production CMS”?" in owner_client.get(url).text
    owner_client.head(url)
    assert works(secret)

    response = owner_client.post(url, follow=True)
    assert "is revoked" in response.text
    assert not works(secret)
    assert owner_client.post(url).status_code == 404


def test_keys_are_for_people_who_sign_in(client, key):
    for url in ("/keys/", f"/keys/{key.pk}/revoke/"):
        assert client.get(url).url == f"/accounts/login/?next={url}"


def test_members_who_own_nothing_see_no_keys(member_client, organization, key):
    for url in ("/keys/", f"/keys/?organization={organization.public_id}"):
        response = member_client.get(url)
        assert response.status_code == 403
        assert "ask an owner" in response.text
        assert key.prefix not in response.text
    assert member_client.post("/keys/", {"name": "Mine"}).status_code == 403
    assert member_client.post(f"/keys/{key.pk}/revoke/").status_code == 403
    key.refresh_from_db()
    assert key.revoked_at is None
    assert ApiKey.objects.count() == 1


def test_owners_see_no_keys_of_organizations_they_do_not_own(owner_client, owner):
    other = Organization.objects.create(name="Somebody else")
    theirs, _ = access.create_key(name="Theirs", organization=other)
    for _ in ("a stranger", "a member"):
        url = f"/keys/?organization={other.public_id}"
        assert owner_client.get(url).status_code == 404
        assert owner_client.post(url, {"name": "Mine"}).status_code == 404
        assert owner_client.post(f"/keys/{theirs.pk}/revoke/").status_code == 404
        Membership.objects.get_or_create(organization=other, user=owner)
    assert list(other.api_keys.all()) == [theirs]
    theirs.refresh_from_db()
    assert theirs.revoked_at is None


def test_an_owner_of_several_organizations_chooses_one(owner_client, organization, key):
    second = Organization.objects.create(name="Zebra Lane")
    member(second, "owner@example.com", Membership.Role.OWNER)
    assert key.prefix in owner_client.get("/keys/").text
    url = f"/keys/?organization={second.public_id}"
    assert key.prefix not in owner_client.get(url).text

    owner_client.post(url, {"name": "Zebra CMS"})
    assert second.api_keys.get().name == "Zebra CMS"
    assert organization.api_keys.get() == key


@pytest.mark.parametrize("key_id", ["0", "999999", "9" * 40])
def test_an_unknown_key_is_not_found(owner_client, key_id):
    assert owner_client.post(f"/keys/{key_id}/revoke/").status_code == 404


# What the API's problems mean


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda problem: problem.code)
def test_each_problem_has_a_page_at_its_slug(client, problem):
    response = client.get(f"/problems/{problem.slug}/")
    assert response.status_code == 200
    assert problem.title in response.text
    assert "`" not in response.text


def test_code_in_a_meaning_is_shown_as_code_and_escaped(client):
    text = client.get("/problems/unauthorized/").text
    assert "<code>Authorization: Bearer &lt;key&gt;</code>" in text


@pytest.mark.parametrize("slug", ["nothing", "out_of-credits-", "0"])
def test_an_unknown_problem_is_not_found(client, slug):
    assert client.get(f"/problems/{slug}/").status_code == 404


# When something is wrong


def test_an_unknown_address_gets_a_page_in_the_look(client):
    response = client.get("/nothing/here/")
    assert response.status_code == 404
    assert "There is nothing here" in response.text
    assert "/nothing/here/" not in response.text


def test_a_form_without_its_token_is_refused_kindly(owner):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    response = client.post("/keys/", {"name": "Mine"})
    assert response.status_code == 403
    assert "That form had expired" in response.text
    assert not ApiKey.objects.exists()


def test_a_foreign_host_is_refused_in_the_look(client):
    response = client.get("/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert "could not be read" in response.text
    assert "evil.example" not in response.text
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]


def test_a_failure_of_ours_leaks_nothing(owner, monkeypatch):
    def fail(**_):
        raise RuntimeError("the secret detail")

    monkeypatch.setattr(access, "create_key", fail)
    client = Client(raise_request_exception=False)
    client.force_login(owner)
    response = client.post("/keys/", {"name": "Mine"})
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.text
    assert "secret detail" not in response.text
