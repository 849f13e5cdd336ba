"""Which pages of other origins may read what the API answers, and how origins are written."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.utils import timezone

from credits import access, ledger, origins
from credits.access import create_key, revoke_key
from credits.models import ApiKey, Membership, User
from tests.credits.browsing import ACTION, SHOP, Page, page
from tests.credits.support import assert_problem

ALLOWED = "Access-Control-Allow-Origin"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
}


def preflight(origin: str, path: str = "/api/v1/spends"):
    return Client().options(path, headers={"Origin": origin, **PREFLIGHT})


def may_read(origin: str) -> bool:
    """Whether a page of the origin may call; the answer to the call itself must say the same."""
    asked = preflight(origin).headers.get(ALLOWED)
    answer = Client().get("/api/v1/actions", headers={"Origin": origin}).headers.get(ALLOWED)
    assert asked == answer
    assert asked in (None, origin)
    return asked == origin


# --- What a browser is told -----------------------------------------------------------------------


def test_the_preflight_of_an_allowed_page(server):
    response = preflight(SHOP)
    assert (response.status_code, response.content) == (200, b"")
    headers = response.headers
    assert headers[ALLOWED] == SHOP
    assert {"GET", "POST"} == set(headers["Access-Control-Allow-Methods"].split(", "))
    assert {"authorization", "content-type", "idempotency-key"} <= set(
        headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert headers["Access-Control-Max-Age"] == "7200"
    assert "Access-Control-Allow-Credentials" not in headers
    assert "origin" in headers["Vary"].lower()


def test_what_a_page_reads_of_an_answer(server):
    headers = page(server).spend().headers
    assert headers[ALLOWED] == SHOP
    assert set(headers["Access-Control-Expose-Headers"].split(", ")) == {
        "Idempotent-Replayed",
        "Retry-After",
        "X-Request-ID",
    }
    assert headers["X-Request-ID"]
    assert "Access-Control-Allow-Credentials" not in headers


def test_caches_keep_the_answers_for_each_origin_apart(server):
    for headers in ({}, {"Origin": SHOP}, {"Origin": "https://other.example"}):
        response = Client().get("/api/v1/actions", headers=headers)
        assert "origin" in response.headers["Vary"].lower()


@pytest.mark.parametrize(
    "origin",
    [
        "https://other.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example:443",
        "https://SHOP.example",
        "https://shop.example/",
        "https://shop.example.evil.example",
        "https://evil.example?https://shop.example",
        "null",
        "",
        "*",
        "https://[",
        "https://shop.example\0",
        "é",
    ],
)
def test_other_origins_are_told_nothing(server, origin):
    assert not may_read(origin)
    assert may_read(SHOP)


def test_sandboxed_frames_are_allowed_by_the_word_null(organization):
    create_key(name="Frame", organization=organization, allowed_origins=["null"])
    assert may_read("null")
    assert not may_read(SHOP)


def test_only_working_keys_allow_pages(organization):
    now = timezone.now()
    fields = {"organization": organization, "allowed_origins": [SHOP]}
    assert not may_read(SHOP)
    key, _ = create_key(name="Later expired", **fields, expires_at=now + timedelta(hours=1))
    assert may_read(SHOP)
    ApiKey.objects.update(expires_at=now)
    assert not may_read(SHOP)
    key, _ = create_key(name="Later revoked", **fields)
    assert may_read(SHOP)
    revoke_key(key, now=now)
    assert not may_read(SHOP)
    key, _ = create_key(name="Later changed", **fields)
    assert may_read(SHOP)
    key.allowed_origins = []
    key.save()
    assert not may_read(SHOP)


@pytest.mark.parametrize("path", ["/", "/top-up/", "/accounts/login/", "/api/schema/", "/admin/"])
def test_only_the_api_is_for_other_pages(server, path):
    response = Client().get(path, headers={"Origin": SHOP})
    assert ALLOWED not in response.headers
    assert ALLOWED not in preflight(SHOP, path).headers


def test_plain_options_stay_what_they_are(server):
    response = server.client.options("/api/v1/spends", headers={**server.headers, "Origin": SHOP})
    assert_problem(response, 403, "forbidden")
    assert server.client.options("/api/v1/spends", headers=server.headers).status_code == 200


# --- Errors can be read too -----------------------------------------------------------------------


def raises(error: Exception):
    def raise_it(*args: object, **kwargs: object) -> None:
        raise error

    return raise_it


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("a mistake of ours"), 500, "server_error"),
        (OperationalError("the database is gone"), 503, "unavailable"),
    ],
)
def test_a_page_can_read_that_we_failed(server, monkeypatch, error, status, code):
    shop = page(server)
    shop.client.raise_request_exception = False
    monkeypatch.setattr(ledger, "spend", raises(error))
    response = shop.spend()
    assert_problem(response, status, code)
    assert response.headers[ALLOWED] == SHOP


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("gone")])
def test_a_page_can_read_that_the_database_is_gone(db, monkeypatch, error):
    monkeypatch.setattr(access, "find_access", raises(error))
    monkeypatch.setattr(access, "allows_origin", raises(error))
    response = Page("ct_x", Origin=SHOP).spend()
    assert_problem(response, 503, "unavailable")
    assert response.headers[ALLOWED] == SHOP


def test_a_page_can_read_every_refusal(server, settings):
    shop = page(server, spend_limit=100)
    refusals = {
        400: shop.spend(quantity=0),
        401: Page("ct_broken", Origin=SHOP).spend(),
        402: shop.spend(quantity=51),
        403: shop.spend("rich-text.generate"),
        404: shop.get("nothing"),
        405: shop.get("spends"),
        415: shop.client.post("/api/v1/spends", {"action": ACTION}, headers=shop.headers),
    }
    settings.API_REQUESTS_PER_MINUTE = 0
    refusals[429] = shop.spend()
    assert {status: answer.status_code for status, answer in refusals.items()} == {
        status: status for status in refusals
    }
    assert {answer.headers.get(ALLOWED) for answer in refusals.values()} == {SHOP}
    assert "Retry-After" in refusals[429].headers


# --- How origins are written ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        ("  HTTPS://Shop.Example/ ", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("NULL", "null"),
    ],
)
def test_an_origin_is_kept_as_browsers_write_it(written, origin):
    assert origins.normalize(written) == origin
    assert origins.is_normal(origin)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "shop.example",
        "//shop.example",
        "https://",
        "https://*.example",
        "https://shop.example/cart",
        "https://shop.example?a=1",
        "https://shop.example#top",
        "https://user@shop.example",
        "https://shop.example:",
        "https://shop.example:0",
        "https://shop.example:65536",
        "https://shop.example:port",
        "https://shop example",
        "https://.example",
        "https://shop.example.",
        "https://bücher.example",
        "https://shop.example\n",
        "ftp://shop.example",
        "file://",
        "javascript:alert(1)",
        "chrome-extension://abc",
        f"https://{'a' * 300}.example",
    ],
)
def test_what_is_no_origin_is_refused_with_an_example(text):
    if text.strip() != text:
        assert not origins.is_normal(text)
        return
    with pytest.raises(ValidationError, match=r"https://shop\.example"):
        origins.normalize(text)


# --- Setting them ---------------------------------------------------------------------------------


@pytest.fixture
def owner(organization) -> Client:
    user = User.objects.create_user("owner@acme.test")
    Membership.objects.create(organization=organization, user=user, role=Membership.Role.OWNER)
    client = Client()
    client.force_login(user)
    return client


def test_an_owner_allows_pages_of_origins(owner):
    lines = "https://shop.example/\r\n\r\n http://127.0.0.1:8000 \r\nHTTPS://SHOP.example"
    owner.post("/keys/", {"name": "Shop", "allowed_origins": lines})
    assert ApiKey.objects.get().allowed_origins == ["http://127.0.0.1:8000", SHOP]
    owner.post("/keys/", {"name": "None"})
    assert ApiKey.objects.get(name="None").allowed_origins == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("https://shop.example\nhttps://*.example", "“https://*.example” is not a web origin"),
        ("\n".join(f"https://shop-{n}.example" for n in range(21)), "20 origins at most"),
    ],
)
def test_a_wrong_line_is_named_and_makes_no_key(owner, lines, message):
    response = owner.post("/keys/", {"name": "Shop", "allowed_origins": lines})
    assert message in response.content.decode()
    assert lines.split("\n")[0] in response.content.decode()
    assert not ApiKey.objects.exists()


def test_staff_change_the_origins_of_a_key(admin, sign_in, organization):
    key, _ = create_key(name="Shop", organization=organization, allowed_origins=[SHOP])
    url = f"/admin/credits/apikey/{key.pk}/change/"
    assert SHOP in admin.get(url).content.decode()
    assert SHOP in sign_in("support").get(url).content.decode()
    form = {"name": "Shop", "expires_at_0": "", "expires_at_1": ""}
    refused = admin.post(url, {**form, "allowed_origins": "shop.example"})
    assert "is not a web origin" in refused.content.decode()
    admin.post(url, {**form, "allowed_origins": f"{SHOP}\nnull"})
    assert ApiKey.objects.get().allowed_origins == [SHOP, "null"]
    admin.post(url, {**form, "allowed_origins": f"null\n{SHOP}"})
    changes = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert changes == ["Changed Allowed origins.", "No fields changed."]
    added = {**form, "organization": organization.pk, "allowed_origins": "null"}
    admin.post("/admin/credits/apikey/add/", {**added, "name": "Frame"})
    assert ApiKey.objects.get(name="Frame").allowed_origins == ["null"]


def test_a_key_is_not_made_with_what_is_no_origin(organization):
    with pytest.raises(ValidationError):
        create_key(name="Shop", organization=organization, allowed_origins=["shop.example"])
    assert not ApiKey.objects.exists()
