"""Browser tokens in use: what pages may do with them, from where, and how much."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from credits import ledger
from credits.access import create_key
from credits.models import Action, ApiKey, Organization, TokenUse
from tests.credits.browsing import ACTION, SHOP, Page, ask, page
from tests.credits.support import MONDAY, Api, assert_problem, assert_untouched

# --- What pages may do ----------------------------------------------------------------------------


def test_a_page_spends_in_two_queries(server, organization, django_assert_num_queries):
    shop = page(server)
    with django_assert_num_queries(3):  # the third asks whether the page may read the answer
        assert shop.spend(quantity=2, reference="image-17").json()["credits"] == 2
    spend = organization.spends.get()
    assert (spend.api_key, spend.credits, spend.reference) == (ApiKey.objects.get(), 2, "image-17")


def test_a_page_holds_captures_and_releases(server):
    shop = page(server)
    held = [shop.post("holds", {"action": ACTION, "quantity": 3}).json() for _ in range(2)]
    captured = shop.post(f"holds/{held[0]['id']}/capture", {"credits": 2})
    assert (captured.status_code, captured.json()["credits"]) == (200, 2)
    released = shop.post(f"holds/{held[1]['id']}/release")
    assert (released.status_code, released.json()["status"]) == (200, "released")


def test_a_page_reads_the_prices_of_its_actions_only(server):
    assert [action["code"] for action in page(server).get("actions").json()["actions"]] == [ACTION]
    assert len(server.get("actions").json()["actions"]) == 4


def test_a_page_sees_balance_and_usage_only_where_they_are_shown(server, organization):
    shop = page(server)
    for path in ("balance", "usage"):
        assert_problem(shop.get(path), 403, "forbidden")
    Organization.objects.update(show_balance=True)
    assert shop.get("balance").json()["balance"] == 50
    assert shop.get("usage").json()["credits"] == 0


def test_a_page_never_refunds_never_batches_and_makes_no_tokens(server, organization):
    shop = page(server)
    spent = shop.spend(quantity=3).json()
    for path, body in (
        (f"spends/{spent['id']}/refund", {}),
        ("spends/batch", {"spends": [{"action": ACTION}]}),
        ("tokens", {"actions": [ACTION], "origins": [SHOP], "spend_limit": 5}),
    ):
        problem = assert_problem(shop.post(path, body), 403, "forbidden")
        assert "secret key" in problem["detail"]
    assert organization.spends.get().refunded_credits == 0


def test_an_action_that_the_token_is_not_for_is_refused(server, organization):
    shop = page(server)
    held = ledger.hold(organization, "rich-text.generate", now=timezone.now())
    assert_problem(shop.spend("rich-text.generate"), 403, "forbidden")
    assert_problem(shop.post("holds", {"action": "rich-text.generate"}), 403, "forbidden")
    assert_problem(shop.post(f"holds/{held.id}/capture"), 404, "not_found")
    assert_problem(shop.get("check", action="rich-text.generate"), 403, "forbidden")
    assert_problem(shop.spend("no.such"), 400, "invalid_request")
    assert organization.spends.count() == 1


def test_a_page_cannot_touch_another_organization(server):
    other = Organization.objects.create(name="Other")
    held = ledger.hold(other, ACTION, now=timezone.now())
    shop = page(server)
    assert_problem(shop.spend(organization=other.public_id), 403, "forbidden")
    assert_problem(shop.post(f"holds/{held.id}/release"), 404, "not_found")
    check = shop.get("check", action=ACTION, organization=other.public_id)
    assert_problem(check, 403, "forbidden")
    assert other.spends.get().status == "held"


def test_a_suspended_organization_spends_with_no_token(server, organization):
    shop = page(server)
    Organization.objects.update(suspended_at=timezone.now())
    assert_problem(shop.spend(), 403, "forbidden")
    assert_problem(shop.get("check", action=ACTION), 403, "forbidden")
    assert_untouched(organization)
    assert not TokenUse.objects.exists()


def test_one_idempotency_key_means_one_spend_for_key_and_token(server, organization):
    first = page(server).spend(key="image-17").json()
    assert page(server).spend(key="image-17").json() == first
    again = server.spend(key="image-17")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first, "true")
    conflict = page(server).spend(key="image-17", quantity=2)
    assert_problem(conflict, 422, "idempotency_conflict")
    assert organization.spends.count() == 1


# --- Where from -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "https://other.example"},
        {"Origin": "http://shop.example"},
        {"Origin": "https://shop.example:8443"},
        {"Origin": "https://shop.example.evil.example"},
        {"Origin": "https://shop.example, https://evil.example"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-site"},
        {"Referer": "https://shop.example/"},
    ],
)
def test_a_token_works_in_pages_of_its_origins_only(server, organization, headers):
    stolen = Page(page(server).headers["Authorization"].removeprefix("Bearer "), **headers)
    assert SHOP in assert_problem(stolen.spend(), 403, "forbidden")["detail"]
    assert_problem(stolen.get("actions"), 403, "forbidden")
    assert_untouched(organization)


def test_a_token_for_sandboxed_frames(organization):
    _, secret = create_key(name="Frame", organization=organization, allowed_origins=["null"])
    assert page(Api(secret), "null", origins=["null"]).spend().status_code == 201
    assert_problem(page(Api(secret), SHOP, origins=["null"]).spend(), 403, "forbidden")


def test_our_own_pages_say_where_they_are_without_an_origin(organization, settings):
    settings.BASE_URL = "https://Credits.example:443"
    own = "https://credits.example"
    _, secret = create_key(name="Ours", organization=organization, allowed_origins=[own])
    token = ask(Api(secret), origins=[own]).json()["token"]
    assert Page(token, **{"Sec-Fetch-Site": "same-origin"}).get("actions").status_code == 200
    assert Page(token, Origin=own).spend().status_code == 201
    assert_problem(Page(token).get("actions"), 403, "forbidden")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://shop.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_secret_key_in_a_web_page_is_refused_with_the_reason(server, organization, headers):
    for response in (
        server.post("spends", {"action": ACTION}, **headers),
        server.client.get("/api/v1/actions", headers={**server.headers, **headers}),
    ):
        detail = assert_problem(response, 403, "forbidden")["detail"]
        assert "secret key" in detail
        assert "/api/v1/tokens" in detail
    assert_untouched(organization)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_secret_key_works_from_our_own_docs_and_from_the_address_bar(api, headers):
    assert api.post("spends", {"action": ACTION}, **headers).status_code == 201


# --- How much -------------------------------------------------------------------------------------


def test_spends_and_holds_together_stay_within_the_limit(server, organization):
    shop = page(server, spend_limit=5)
    assert shop.spend(quantity=2).status_code == 201
    assert shop.post("holds", {"action": ACTION, "quantity": 2}).status_code == 201
    for refused in (shop.spend(quantity=2), shop.post("holds", {"action": ACTION, "quantity": 2})):
        body = assert_problem(refused, 403, "spend_limit_reached")
        assert "new token" in body["detail"]
    assert (organization.spends.count(), TokenUse.objects.get().credits) == (2, 4)
    assert shop.spend().status_code == 201
    assert_problem(shop.spend(), 403, "spend_limit_reached")
    assert ledger.balance(organization, now=timezone.now()).total == 45
    assert page(server, spend_limit=5).spend(quantity=5).status_code == 201


def test_the_limit_is_in_credits_whatever_the_price(server):
    Action.objects.filter(code=ACTION).update(credits=4)
    shop = page(server, spend_limit=10)
    assert [shop.spend().status_code for _ in range(3)] == [201, 201, 403]


def test_a_first_spend_beyond_the_limit_writes_nothing(server, organization):
    shop = page(server, spend_limit=5)
    assert_problem(shop.spend(quantity=6), 403, "spend_limit_reached")
    assert_untouched(organization)
    assert not TokenUse.objects.exists()


def test_a_refusal_for_want_of_credits_does_not_count(server, organization):
    shop = page(server, spend_limit=100)
    assert_problem(shop.spend(quantity=51), 402, "out_of_credits")
    assert not TokenUse.objects.exists()
    assert shop.spend(quantity=50).status_code == 201
    assert TokenUse.objects.get().credits == 50


def test_beyond_its_limit_a_token_learns_nothing_of_the_balance(server, organization):
    shop = page(server, spend_limit=5)
    for quantity in (6, 50, 51):
        assert_problem(shop.spend(quantity=quantity), 403, "spend_limit_reached")
        check = shop.get("check", action=ACTION, quantity=str(quantity))
        assert_problem(check, 403, "spend_limit_reached")
    assert_untouched(organization)


def test_replays_do_not_count_and_what_goes_back_does_not_raise_the_limit(server):
    shop = page(server, spend_limit=5)
    spent = [shop.spend(quantity=3, key="order-1").json() for _ in range(3)]
    assert spent[0] == spent[1] == spent[2]
    held = shop.post("holds", {"action": ACTION, "quantity": 2}).json()
    assert shop.post(f"holds/{held['id']}/release").status_code == 200
    assert server.post(f"spends/{spent[0]['id']}/refund").status_code == 200
    assert_problem(shop.spend(), 403, "spend_limit_reached")
    assert shop.spend(quantity=3, key="order-1").json() == spent[0]


def test_the_database_holds_no_negative_use(server):
    page(server).spend()
    with pytest.raises(DatabaseError, match="token_use_not_negative"), transaction.atomic():
        TokenUse.objects.update(credits=-1)


# --- Whether a spend would be made ----------------------------------------------------------------


def test_check_tells_whether_a_spend_would_be_made_and_nothing_more(server, organization):
    shop = page(server, spend_limit=100)
    for caller in (server, shop):
        assert caller.get("check", action=ACTION).json() == {"allowed": True, "required": 1}
        yes = caller.get("check", action=ACTION, quantity="50")
        assert yes.json() == {"allowed": True, "required": 50}
        no = caller.get("check", action=ACTION, quantity="51")
        refusal = shop.spend(quantity=51).json()
        assert no.status_code == 200
        told = {name: refusal[name] for name in ("detail", "required", "next_refill", "top_up_url")}
        assert no.json() == {"allowed": False, **told}
    assert_untouched(organization)
    Organization.objects.update(show_balance=True)
    assert "available" not in server.get("check", action=ACTION, quantity="51").json()


def test_check_says_what_a_spend_would_say(server, organization):
    shop = page(server, spend_limit=5)
    shop.spend(quantity=3)
    assert shop.get("check", action=ACTION, quantity="2").json()["allowed"]
    over = shop.get("check", action=ACTION, quantity="3")
    assert_problem(over, 403, "spend_limit_reached")
    assert_problem(server.get("check", action="no.such"), 400, "invalid_request")
    assert_problem(server.get("check"), 400, "invalid_request")
    assert_problem(server.get("check", action=ACTION, quantity="0"), 400, "invalid_request")
    assert organization.spends.count() == 1


def test_check_knows_the_week_that_nobody_has_touched_and_holds_past_their_time(
    server, organization, set_clock
):
    set_clock(MONDAY)
    server.post("holds", {"action": ACTION, "quantity": 50})
    assert not server.get("check", action=ACTION).json()["allowed"]
    set_clock(MONDAY + timedelta(seconds=900))
    assert server.get("check", action=ACTION).json()["allowed"]
    server.spend(quantity=50)
    set_clock(MONDAY + timedelta(days=7) - timedelta(microseconds=1))
    assert not server.get("check", action=ACTION).json()["allowed"]
    set_clock(MONDAY + timedelta(days=7))
    assert server.get("check", action=ACTION).json()["allowed"]
