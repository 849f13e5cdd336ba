"""The calls for staff keys: who may make them, what they answer, and that the guide is true."""

import re
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.test import Client

from credits import guides, staff_keys, tokens
from credits.access import create_key
from credits.api import examples
from credits.models import ApiKey, User
from tests.credits.acme import ALT_TEXT, WEDNESDAY, a_week_at_acme
from tests.credits.guide_reader import Reader, try_all
from tests.credits.support import Api, assert_problem

GUIDE = (settings.BASE_DIR / "docs" / "explain.md").read_text()
NOON = "2026-11-23T12:00:00Z"
UNKNOWN = "019e3f5c-2b79-7d02-8a11-5b7c9d3e1f20"


@pytest.fixture
def supporter(db) -> User:
    user = User.objects.create_user("sam@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="support"))
    return user


@pytest.fixture
def acme(supporter, set_clock):
    set_clock(WEDNESDAY)
    return a_week_at_acme(supporter)


def make_key(user: User, **lifetime: int) -> tuple[staff_keys.StaffKey, str]:
    ends_at = WEDNESDAY + timedelta(**(lifetime or {"days": 1}))
    return staff_keys.create_key(user, name="Test", expires_at=ends_at, now=WEDNESDAY)


@pytest.fixture
def secret(supporter) -> str:
    return make_key(supporter)[1]


@pytest.fixture
def staff_api(secret) -> Api:
    return Api(secret)


def explain(api: Api, acme, **query: str):
    return api.get(f"explain/organizations/{acme.organization.public_id}", **query)


# What it answers


def test_a_balance_is_explained_at_a_moment(staff_api, acme):
    body = explain(staff_api, acme, at=NOON).json()
    assert (body["balance"], body["at"]) == (48, NOON)
    assert [(grant["kind"], grant["credits"]) for grant in body["grants"]] == [("weekly", 48)]
    assert explain(staff_api, acme).json()["balance"] == 96


def test_a_moment_without_a_zone_is_of_utc(staff_api, acme):
    body = explain(staff_api, acme, at="2026-11-23T12:00:00").json()
    assert (body["at"], body["balance"]) == (NOON, 48)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2026-11-25T10:00:01Z", "not in the future"),
        ("9999-12-31T23:59:59-14:00", "out of range"),
        ("2026-11-19T00:00:00Z", "2026-11-20"),
        ("0001-01-01T00:00:00+14:00", "out of range"),
        ("yesterday", "wrong format"),
        ("", "wrong format"),
        ("2026-11-23\x00", "wrong format"),
        ("2026-02-30T00:00:00Z", "wrong format"),
    ],
)
def test_a_moment_that_cannot_be_explained_is_refused_in_its_field(staff_api, acme, at, words):
    body = assert_problem(explain(staff_api, acme, at=at), 400, "invalid_request")
    (error,) = body["errors"]
    assert error["field"] == "at"
    assert words in error["message"]


def test_a_field_that_it_does_not_know_is_refused(staff_api, acme):
    assert_problem(explain(staff_api, acme, when=NOON), 400, "invalid_request")


@pytest.mark.parametrize(
    "path",
    [
        "organizations/org_0000000000000000",
        "organizations/%00",
        "organizations/org_%00",
        f"spends/{UNKNOWN}",
        "spends/17",
        "spends/%00",
    ],
)
def test_what_is_not_there_is_not_found(staff_api, acme, path):
    assert_problem(staff_api.get(f"explain/{path}"), 404, "not_found")


def test_each_example_of_the_schema_is_answered_and_fits_it(staff_api, acme):
    document = Client().get("/api/schema/").json()
    answers = {
        "explain_organization": explain(staff_api, acme, at=NOON),
        "explain_spend": staff_api.get(f"explain/spends/{acme.album.pk}"),
    }
    described = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }
    for name, response in answers.items():
        content = described[name]["responses"]["200"]["content"]["application/json"]
        whole = {**content["schema"], "components": document["components"]}
        jsonschema.validate(response.json(), whole, format_checker=jsonschema.FormatChecker())
        assert without_ids(response.json()) == without_ids(examples.ANSWERS[name])


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_ids(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_ids(item) for item in value]
    made_anew = re.compile(r"[0-9a-f-]{36}|org_\w{16}|ck_org_\w{5}")
    return "…" if isinstance(value, str) and made_anew.fullmatch(value) else value


def test_each_example_of_the_guide_answers_what_it_shows(staff_api, acme, settings):
    settings.BASE_URL = guides.PLACEHOLDER
    reader = Reader(staff_api)
    reader.mine["org_8f3k2m9q4x7v1c5n"] = acme.organization.public_id
    reader.mine["019e3f5e-4d10-7b33-8f26-1a2b3c4d5e6f"] = str(acme.album.pk)
    assert GUIDE.count("```http\nGET") == 2
    try_all(reader, GUIDE)


# Who may


def both(api: Api, acme) -> list[Any]:
    return [explain(api, acme), api.get(f"explain/spends/{acme.image.pk}")]


def test_a_customers_key_and_token_are_refused_with_the_way_out(acme, supporter):
    organization = acme.organization
    key, secret = create_key(
        name="Shop", organization=organization, allowed_origins=["https://shop.example"]
    )
    _, token = tokens.issue(
        key,
        organization,
        actions=[ALT_TEXT],
        origins=["https://shop.example"],
        spend_limit=1,
        now=WEDNESDAY,
    )
    for customer in (secret, token):
        for response in both(Api(customer), acme):
            assert "staff key" in assert_problem(response, 403, "forbidden")["detail"]


def test_a_staff_key_spends_nothing_and_reads_nothing_as_a_customer(staff_api, acme):
    for response in (
        staff_api.spend(),
        staff_api.get("actions"),
        staff_api.get("balance"),
        staff_api.post(f"spends/{acme.image.pk}/refund"),
        staff_api.post("tokens", {}),
    ):
        assert "staff key" in assert_problem(response, 403, "forbidden")["detail"]
    assert acme.organization.spends.count() == 2


@pytest.mark.parametrize(
    "header", [None, "", "Basic YTpi", "Bearer ", "Bearer cs_short", "Bearer é"]
)
def test_without_a_key_that_works_nothing_is_told(acme, header):
    api = Api("")
    api.headers = {} if header is None else {"Authorization": header}
    for response in both(api, acme):
        assert_problem(response, 401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "end",
    [
        lambda key, user: staff_keys.revoke_key(key, now=WEDNESDAY),
        lambda key, user: type(key).objects.update(expires_at=WEDNESDAY),
        lambda key, user: User.objects.filter(pk=user.pk).update(is_active=False),
        lambda key, user: User.objects.filter(pk=user.pk).update(is_staff=False),
        lambda key, user: user.delete(),
    ],
    ids=["revoked", "expired", "left", "no longer staff", "deleted"],
)
def test_a_key_stops_with_the_next_request(acme, end):
    user = User.objects.create_user("root@example.com", is_staff=True, is_superuser=True)
    key, secret = make_key(user)
    assert {response.status_code for response in both(Api(secret), acme)} == {200}
    end(key, user)
    for response in both(Api(secret), acme):
        assert_problem(response, 401, "unauthorized")


@pytest.mark.parametrize(
    ("held", "statuses"),
    [
        ((), [403, 403]),
        (("view_entry",), [403, 403]),
        (("view_organization", "view_entry"), [200, 403]),
        (("view_spend", "view_entry"), [403, 200]),
        (("view_organization", "view_spend"), [403, 403]),
    ],
)
def test_a_key_does_what_its_owner_may_at_the_moment(acme, held, statuses):
    user = User.objects.create_user("new@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=held))
    responses = both(Api(make_key(user)[1]), acme)
    assert [response.status_code for response in responses] == statuses
    for response in responses:
        if response.status_code == 403:
            assert "lacks the permission" in response.json()["detail"]


def test_a_mistyped_key_is_refused_without_a_question_to_the_database(
    acme, secret, django_assert_num_queries
):
    wrong = secret[:10] + ("A" if secret[10] != "A" else "B") + secret[11:]
    with django_assert_num_queries(0):
        assert_problem(explain(Api(wrong), acme), 401, "unauthorized")


def test_a_staff_key_in_a_web_page_is_refused(acme, secret):
    api = Api(secret)
    api.headers["Origin"] = "https://shop.example"
    for response in both(api, acme):
        assert "web page" in assert_problem(response, 403, "forbidden")["detail"]


def test_the_use_of_a_key_is_noted_to_within_five_minutes(acme, staff_api, set_clock):
    key = staff_keys.StaffKey.objects.get()
    used = []
    for minutes in (0, 4, 6):
        set_clock(WEDNESDAY + timedelta(minutes=minutes))
        explain(staff_api, acme)
        key.refresh_from_db()
        used.append(key.last_used_at)
    assert used == [WEDNESDAY, WEDNESDAY, WEDNESDAY + timedelta(minutes=6)]


def test_requests_of_a_staff_key_are_limited(acme, staff_api, settings):
    settings.API_REQUESTS_PER_MINUTE = 2
    statuses = [explain(staff_api, acme).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_only_the_hash_of_a_staff_key_is_kept(supporter):
    key, secret = make_key(supporter)
    kept = " ".join(str(value) for value in vars(key).values())
    assert secret.startswith("cs_")
    assert secret not in kept
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_staff_key_lives_for_a_year_at_most(supporter, days):
    with pytest.raises(ValueError, match="366"):
        make_key(supporter, days=days)
