"""What owners do with API keys after they made them: rename, restrict, rotate."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from credits import access
from credits.models import Action, ApiKey, Organization
from tests.concurrency.threads import at_once
from tests.credits.support import MONDAY, Api, assert_problem
from tests.credits.team import join, signed_in, told

SECRET = re.compile(r"ck_org_\w+(?=</code>)")
ALT_TEXT, RICH_TEXT = "alt-text.generate", "rich-text.generate"


@pytest.fixture
def client(organization):
    """An owner's."""
    return signed_in(join(organization, "dana@acme.test"))


def make(organization: Organization, **settings) -> tuple[ApiKey, str]:
    return access.create_key(**{"name": "CMS", "organization": organization, **settings})


def action(code: str) -> Action:
    return Action.objects.get(code=code)


def rotate(client, key: ApiKey, hours: str = "24"):
    return client.post(f"/keys/{key.pk}/rotate/", {"grace": hours})


def secret_in(response) -> str:
    secret = SECRET.search(response.text)
    assert secret is not None
    return secret[0]


# Renaming and restricting


def test_a_key_is_renamed_and_restricted_and_goes_on_with_its_secret(client, organization):
    key, secret = make(organization)
    url = f"/keys/{key.pk}/"
    assert 'value="CMS"' in client.get(url).text
    form = {"name": "Shop", "allowed_actions": [action(ALT_TEXT).pk]}
    assert "“Shop” is saved." in client.post(url, form, follow=True).text
    assert Api(secret).spend(ALT_TEXT).status_code == 201
    assert_problem(Api(secret).spend(RICH_TEXT), 403, "forbidden")

    client.post(url, {"name": "Shop"})
    assert Api(secret).spend(RICH_TEXT).status_code == 201
    assert told(client, organization)[:3] == [
        "dana@acme.test allowed the API key “Shop” all actions.",
        "dana@acme.test restricted the API key “Shop” to alt-text.generate.",
        "dana@acme.test renamed the API key “CMS” to “Shop”.",
    ]


def test_saving_without_a_change_records_nothing(client, organization):
    key, _ = make(organization, allowed_actions=[action(ALT_TEXT)], expires_at=timezone.now())
    before = organization.activities.count()
    client.post(f"/keys/{key.pk}/", {"name": "CMS", "allowed_actions": [action(ALT_TEXT).pk]})
    assert organization.activities.count() == before
    assert ApiKey.objects.get().expires_at == key.expires_at


def test_an_action_no_longer_on_sale_stays_and_does_not_open_the_key_to_all(client, organization):
    key, _ = make(organization, allowed_actions=[action(ALT_TEXT)])
    Action.objects.filter(code=ALT_TEXT).update(is_active=False)
    page = client.get(f"/keys/{key.pk}/").text
    assert re.search(r'type="checkbox"[^>]*checked', page)
    client.post(f"/keys/{key.pk}/", {"name": "Shop", "allowed_actions": [action(ALT_TEXT).pk]})
    assert [one.code for one in key.allowed_actions.all()] == [ALT_TEXT]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"name": "Shop", "allowed_actions": ["999999"]}, "Select a valid choice"),
    ],
)
def test_a_wrong_change_says_why_and_changes_nothing(client, organization, form, message):
    key, _ = make(organization)
    assert message in client.post(f"/keys/{key.pk}/", form).text
    key.refresh_from_db()
    assert (key.name, key.allowed_actions.count()) == ("CMS", 0)


# Rotating


@pytest.mark.parametrize("hours", ["1", "24", "168"])
def test_a_rotated_key_has_a_new_secret_and_the_old_one_works_for_a_while(
    client, organization, set_clock, hours
):
    set_clock(MONDAY)
    old, old_secret = make(organization, allowed_actions=[action(ALT_TEXT)])
    response = rotate(client, old, hours)
    new_secret = secret_in(response)
    assert "no-store" in response["Cache-Control"]
    assert new_secret not in client.get("/keys/").text
    assert new_secret not in str(dict(client.session))

    new = ApiKey.objects.get(replaces=old)
    assert (new.name, new.organization, new.expires_at) == ("CMS", organization, None)
    assert new.created_by.email == "dana@acme.test"
    assert_problem(Api(new_secret).spend(RICH_TEXT), 403, "forbidden")
    for secret in (old_secret, new_secret):
        assert Api(secret).spend(ALT_TEXT).status_code == 201

    set_clock(MONDAY + timedelta(hours=int(hours), microseconds=-1))
    assert Api(old_secret).spend(ALT_TEXT).status_code == 201
    set_clock(MONDAY + timedelta(hours=int(hours)))
    assert_problem(Api(old_secret).spend(ALT_TEXT), 401, "unauthorized")
    assert Api(new_secret).spend(ALT_TEXT).status_code == 201


def test_without_grace_the_old_secret_stops_at_once(client, organization):
    old, old_secret = make(organization)
    new_secret = secret_in(rotate(client, old, "0"))
    assert_problem(Api(old_secret).spend(), 401, "unauthorized")
    assert Api(new_secret).spend().status_code == 201


def test_rotating_never_makes_a_key_live_longer(client, organization, set_clock):
    set_clock(MONDAY)
    soon = MONDAY + timedelta(hours=2)
    old, _ = make(organization, expires_at=soon)
    rotate(client, old, "168")
    assert list(ApiKey.objects.values_list("expires_at", flat=True)) == [soon, soon]


def test_both_keys_are_listed_with_their_state_and_the_change_is_told(client, organization):
    old, _ = make(organization)
    page = rotate(client, old).text
    assert re.findall(r'class="badge[^>]*>(\w+)<', page) == ["Active", "Replaced"]
    new = ApiKey.objects.get(replaces=old)
    assert f"/keys/{new.pk}/rotate/" in page
    assert f"/keys/{old.pk}/rotate/" not in page
    (rotated, _) = told(client, organization)
    assert rotated.startswith(
        f"dana@acme.test rotated the API key “CMS”: its secret is now {new.prefix}…, "
        f"and the old {old.prefix}… stops working on "
    )


@pytest.mark.parametrize("hours", ["", "2", "-1", "1000", "soon"])
def test_another_grace_is_refused(client, organization, hours):
    old, secret = make(organization)
    page = rotate(client, old, hours).text
    assert "This field is required" in page or "Select a valid choice" in page
    assert ApiKey.objects.count() == 1
    assert Api(secret).spend().status_code == 201


def test_a_key_is_rotated_once_and_not_after_its_end(client, organization):
    replaced, _ = make(organization)
    rotate(client, replaced)
    expired, _ = make(organization, expires_at=timezone.now() - timedelta(seconds=1))
    count = ApiKey.objects.count()
    for key in (replaced, expired):
        response = client.post(f"/keys/{key.pk}/rotate/", {"grace": "24"}, follow=True)
        assert "does not work any more or was rotated already" in response.text
    revoked, _ = make(organization)
    access.revoke_key(revoked, now=timezone.now())
    assert rotate(client, revoked).status_code == 404
    assert ApiKey.objects.count() == count + 1


def test_the_new_key_is_rotated_again(client, organization):
    old, _ = make(organization)
    rotate(client, old)
    rotate(client, ApiKey.objects.get(replaces=old))
    assert ApiKey.objects.count() == 3


def test_a_key_rotated_many_times_at_once_is_replaced_by_one(committed_db):
    organization = Organization.objects.create(name="Acme")
    dana = join(organization, "dana@acme.test")
    key, _ = make(organization)

    def rotate_now(_: int) -> None:
        access.rotate_key(key, grace=timedelta(hours=1), by=dana, now=timezone.now())

    outcomes = at_once(rotate_now, range(6))
    assert sum(isinstance(one, access.KeyDoesNotWork) for one in outcomes) == 5, outcomes
    assert ApiKey.objects.count() == 2


# For whom


def test_keys_are_changed_and_rotated_by_owners_alone(client, organization):
    key, secret = make(organization)
    nina = signed_in(join(organization, "nina@acme.test", "member"))
    other = Organization.objects.create(name="Zenith")
    zoe = signed_in(join(other, "zoe@zenith.test"))
    for visitor, status in ((nina, 403), (zoe, 404)):
        for page in ("", "rotate/"):
            url = f"/keys/{key.pk}/{page}"
            assert visitor.get(url).status_code == status
            assert visitor.post(url, {"name": "Mine", "grace": "0"}).status_code == status
    key.refresh_from_db()
    assert (key.name, ApiKey.objects.count()) == ("CMS", 1)
    assert Api(secret).spend().status_code == 201
