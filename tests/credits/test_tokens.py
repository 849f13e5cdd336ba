"""Browser tokens: how they are made, and when they stop."""

from datetime import timedelta

import pytest
from django.core.signing import Signer
from django.utils import timezone

from credits import tasks
from credits.access import create_key, revoke_key
from credits.models import Action, ApiKey, Organization, Service, TokenUse
from tests.credits.browsing import ACTION, SHOP, Page, ask, page
from tests.credits.support import MONDAY, Api, assert_problem, assert_untouched

# --- Making one -----------------------------------------------------------------------------------


def test_a_token_says_what_it_is_for(server, organization, set_clock):
    set_clock(MONDAY)
    response = ask(server, spend_limit=20)
    body = response.json()
    assert response.status_code == 201
    assert body.pop("token").startswith("ct_")
    assert body == {
        "organization": organization.public_id,
        "actions": [ACTION],
        "origins": [SHOP],
        "spend_limit": 20,
        "expires_at": "2026-11-23T00:15:00Z",
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert not TokenUse.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"actions": None}, "actions"),
        ({"actions": []}, "actions"),
        ({"actions": ACTION}, "actions"),
        ({"actions": [ACTION] * 21}, "actions"),
        ({"actions": ["no.such"]}, "actions"),
        ({"actions": [ACTION, 5]}, "actions.1"),
        ({"actions": [[]]}, "actions.0"),
        ({"origins": None}, "origins"),
        ({"origins": []}, "origins"),
        ({"origins": [SHOP] * 11}, "origins"),
        ({"origins": ["https://*.shop.example"]}, "origins"),
        ({"origins": ["https://shop.example/cart"]}, "origins"),
        ({"origins": ["o" * 256]}, "origins.0"),
        ({"spend_limit": None}, "spend_limit"),
        ({"spend_limit": 0}, "spend_limit"),
        ({"spend_limit": 1_000_001}, "spend_limit"),
        ({"expires_in_seconds": 0}, "expires_in_seconds"),
        ({"expires_in_seconds": 901}, "expires_in_seconds"),
        ({"lifetime": 60}, "lifetime"),
    ],
)
def test_a_wrong_field_is_named(server, changes, field):
    body = assert_problem(ask(server, **changes), 400, "invalid_request")
    assert [error["field"] for error in body["errors"]] == [field]


def test_only_origins_that_the_key_allows(server):
    body = assert_problem(ask(server, origins=[SHOP, "https://other.example"]), 403, "forbidden")
    assert "https://other.example" in body["detail"]
    assert_problem(ask(server, origins=["null"]), 403, "forbidden")
    assert ask(server, origins=["HTTPS://Shop.Example:443/"]).json()["origins"] == [SHOP]


def test_only_actions_that_the_key_may_spend(organization):
    generate = Action.objects.get(code=ACTION)
    _, secret = create_key(
        name="One",
        organization=organization,
        allowed_actions=[generate],
        allowed_origins=[SHOP],
    )
    body = assert_problem(
        ask(Api(secret), actions=[ACTION, "rich-text.generate"]), 403, "forbidden"
    )
    assert "rich-text.generate" in body["detail"]
    assert ask(Api(secret)).status_code == 201


def test_only_for_the_key_s_own_organization(server, organization):
    other = Organization.objects.create(name="Other")
    assert_problem(ask(server, organization=other.public_id), 403, "forbidden")
    assert ask(server, organization=organization.public_id).status_code == 201


def test_a_service_s_token_names_its_organization_and_pages_need_not(organization):
    service = Service.objects.get(name="Background removal")
    server = Api(create_key(name="Service", service=service, allowed_origins=[SHOP])[1])
    other = Organization.objects.create(name="Other")
    body = assert_problem(ask(server, actions=["background.remove"]), 400, "invalid_request")
    assert body["errors"][0]["field"] == "organization"
    named = {"organization": organization.public_id}
    assert_problem(ask(server, **named), 403, "forbidden")
    shop = page(server, actions=["background.remove"], **named)
    assert shop.spend("background.remove").json()["organization"] == organization.public_id
    assert shop.spend("background.remove", **named).status_code == 201
    refused = shop.spend("background.remove", organization=other.public_id)
    assert_problem(refused, 403, "forbidden")
    assert_untouched(other)


def test_the_largest_usual_token_is_about_a_kilobyte(organization):
    service = Service.objects.first()
    codes = [f"usual-service-{n}.generate" for n in range(20)]
    Action.objects.bulk_create(Action(service=service, code=code) for code in codes)
    origins = [f"https://shop-{n}.customer.example" for n in range(10)]
    _, secret = create_key(name="Shop", organization=organization, allowed_origins=origins)
    token = ask(Api(secret), actions=codes, origins=origins).json()["token"]
    assert len(token) < 1100


# --- Until when -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "seconds"), [(None, 900), (1, 1), (60, 60)])
def test_a_token_ends_at_its_time(server, set_clock, asked, seconds):
    set_clock(MONDAY)
    shop = page(server, expires_in_seconds=asked)
    end = MONDAY + timedelta(seconds=seconds)
    set_clock(end - timedelta(microseconds=1))
    assert shop.spend().status_code == 201
    set_clock(end)
    response = shop.spend()
    assert "new one" in assert_problem(response, 401, "unauthorized")["detail"]
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_stops_with_its_key(server):
    shop = page(server)
    revoke_key(ApiKey.objects.get(), now=timezone.now())
    assert_problem(shop.spend(), 401, "unauthorized")


def test_a_token_stops_when_its_key_expires(server):
    shop = page(server)
    ApiKey.objects.update(expires_at=timezone.now())
    assert_problem(shop.spend(), 401, "unauthorized")


def test_what_the_key_loses_its_tokens_lose_at_once(server, organization):
    shop = page(server, actions=[ACTION, "rich-text.generate"])
    key = ApiKey.objects.get()
    key.allowed_actions.add(Action.objects.get(code="rich-text.generate"))
    assert_problem(shop.spend(), 403, "forbidden")
    assert shop.spend("rich-text.generate").status_code == 201
    key.allowed_origins = ["https://other.example"]
    key.save()
    assert_problem(shop.spend("rich-text.generate"), 403, "forbidden")
    assert organization.spends.count() == 1


def _changed(token: str, position: int) -> str:
    other = "A" if token[position] != "A" else "B"
    return token[:position] + other + token[position + 1 :]


def test_a_token_that_was_changed_does_not_work(server, organization):
    token = ask(server).json()["token"]
    broken = [_changed(token, position) for position in range(len(token))]
    broken += [
        "",
        "ct_",
        "ct_.",
        "ct_" + token,
        token[3:],
        token[:-1],
        token + "A",
        "ct_é",
        "ct_\0",
    ]
    for text in broken:
        assert_problem(Page(text, Origin=SHOP).spend(), 401, "unauthorized")
    assert_untouched(organization)
    assert Page(token, Origin=SHOP).spend().status_code == 201


@pytest.mark.parametrize(
    "signer",
    [
        Signer(salt="another", sep="."),
        Signer(key="another secret", salt="credits.tokens.v1", sep="."),
        Signer(salt="credits.tokens.v1", sep=":"),
    ],
)
def test_a_token_that_others_signed_does_not_work(server, organization, signer):
    token = ask(server).json()["token"].removeprefix("ct_")
    payload = token.rpartition(".")[0]
    ours = Signer(salt="credits.tokens.v1", sep=".").sign(payload)
    assert ours == token
    forged = f"ct_{signer.sign(payload)}"
    assert_problem(Page(forged, Origin=SHOP).spend(), 401, "unauthorized")
    assert_untouched(organization)


# --- Around them ----------------------------------------------------------------------------------


def test_using_a_token_uses_its_key(server, set_clock):
    set_clock(MONDAY)
    shop = page(server)
    set_clock(MONDAY + timedelta(minutes=10))
    shop.spend()
    assert ApiKey.objects.get().last_used_at == MONDAY + timedelta(minutes=10)


def test_pages_do_not_use_up_the_requests_of_the_server(server, settings, set_clock):
    set_clock(MONDAY)
    shop, other = page(server), page(server)
    settings.API_REQUESTS_PER_MINUTE = 3
    assert [shop.get("actions").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert other.get("actions").status_code == 200
    assert server.get("actions").status_code == 200


def test_what_tokens_spent_is_forgotten_an_hour_after_their_end(server, set_clock):
    set_clock(MONDAY)
    page(server).spend()
    end = TokenUse.objects.get().expires_at
    assert end == MONDAY + timedelta(minutes=15)
    set_clock(end + timedelta(minutes=59))
    tasks.forget_tokens()
    assert TokenUse.objects.exists()
    set_clock(end + timedelta(minutes=60))
    tasks.forget_tokens()
    assert not TokenUse.objects.exists()
