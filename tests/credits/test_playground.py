"""The playground over HTTP: who gets in, its tokens, and background removal as a plain API."""

import re
import runpy
from io import BytesIO
from types import ModuleType

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone
from PIL import Image, ImageDraw

from credits.access import create_key, revoke_key
from credits.models import Action, ApiKey, Membership, Organization, User
from tests.credits.support import assert_problem, assert_untouched

OURS = {"Sec-Fetch-Site": "same-origin"}
BACKDROP, THING = (200, 220, 210), (230, 80, 40)
REMOVAL = "/playground/api/background-removal"


@pytest.fixture
def member(organization) -> Client:
    """A signed-in member, who is no owner."""
    user = User.objects.create_user("dana@example.com")
    Membership.objects.create(organization=organization, user=user)
    client = Client()
    client.force_login(user)
    client.user = user
    return client


@pytest.fixture
def remove(organization):
    """Sends a picture to background removal with a key of the organization."""
    _, secret = create_key(name="CMS", organization=organization)
    client = Client()

    def remove(body: bytes, *, content_type="image/png", key=None, query="", secret=secret):
        headers = {"Authorization": f"Bearer {secret}"}
        if key:
            headers["Idempotency-Key"] = key
        return client.post(REMOVAL + query, body, content_type=content_type, headers=headers)

    return remove


def picture(kind: str = "PNG", size=(40, 30), mode: str = "RGB", **options) -> bytes:
    """A rectangle on a plain backdrop."""
    image = Image.new("RGB", size, BACKDROP)
    if min(size) > 20:
        ImageDraw.Draw(image).rectangle((10, 10, size[0] - 10, size[1] - 10), THING)
    output = BytesIO()
    image.convert(mode).save(output, kind, **options)
    return output.getvalue()


def opened(response) -> Image.Image:
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == "image/png"
    image = Image.open(BytesIO(response.content))
    image.load()
    return image


def token_of(client: Client, query: str = "") -> str:
    response = client.post(f"/playground/token{query}")
    assert response.status_code == 201, response.content
    return response.json()["token"]


def spend(secret: str, action: str = "alt-text.generate", **headers: str):
    return Client().post(
        "/api/v1/spends",
        {"action": action},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}", **(headers or OURS)},
    )


# --- Who gets in -----------------------------------------------------------------------------


def test_a_member_finds_it_in_the_menu_and_it_names_all_four_services(member):
    page = member.get("/playground/")
    assert page.status_code == 200
    codes = set(re.findall(r'data-action="(.+?)"', page.content.decode()))
    assert codes == set(Action.objects.values_list("code", flat=True))
    assert b'href="/playground/"' in member.get("/top-up/").content


def test_a_visitor_is_asked_to_sign_in(client, db):
    assert client.get("/playground/")["Location"].startswith("/accounts/login/")
    assert_problem(client.post("/playground/token"), 401, "unauthorized")


def test_a_stranger_without_an_organization_is_told_what_to_do(client, db):
    client.force_login(User.objects.create_user("nobody@example.com"))
    assert b"Ask an owner to add you" in client.get("/playground/").content
    assert_problem(client.post("/playground/token"), 403, "forbidden")


def test_other_organizations_are_nobody_elses(member):
    other = Organization.objects.create(name="Other")
    assert member.get(f"/playground/?organization={other.public_id}").status_code == 404
    assert member.post(f"/playground/token?organization={other.public_id}").status_code == 404
    assert not ApiKey.objects.filter(organization=other).exists()


def test_where_it_is_off_its_addresses_and_its_link_are_not_there(member, settings):
    settings.PLAYGROUND = False
    urls = ModuleType("urls_without_playground")
    vars(urls).update(runpy.run_path(str(django_settings.BASE_DIR / "config/urls.py")))
    settings.ROOT_URLCONF = urls
    for path in ("/playground/", "/playground/token", REMOVAL):
        assert member.get(path).status_code == 404, path
    assert b"playground" not in member.get("/top-up/").content


# --- Tokens ----------------------------------------------------------------------------------


def test_its_token_spends_all_four_actions_from_our_pages_alone(member, organization):
    token = token_of(member)
    for code in Action.objects.values_list("code", flat=True):
        assert spend(token, code).status_code == 201
    assert_problem(spend(token, Origin="https://evil.example"), 403, "forbidden")
    assert organization.spends.count() == 4


def test_its_key_is_made_once_for_our_origin_and_says_by_whom(member, organization, settings):
    settings.BASE_URL = "https://credits.example"
    token_of(member)
    token_of(member)
    key = organization.api_keys.get()
    assert (key.name, key.allowed_origins) == ("Playground", ["https://credits.example"])
    assert key.created_by == member.user
    assert key.allowed_actions.count() == 4


def test_a_token_ends_at_a_thousand_credits(member, organization):
    organization.weekly_credits = 5000
    organization.save()
    response = Client().post(
        "/api/v1/spends",
        {"action": "alt-text.generate", "quantity": 1001},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token_of(member)}", **OURS},
    )
    assert_problem(response, 403, "spend_limit_reached")


@pytest.mark.parametrize("way", ["revoked", "expired", "another origin"])
def test_an_owner_can_close_it_and_the_page_is_told_kindly(member, organization, way):
    token = token_of(member)
    key = organization.api_keys.get()
    if way == "revoked":
        revoke_key(key, now=timezone.now())
    elif way == "expired":
        ApiKey.objects.update(expires_at=timezone.now())
    else:
        ApiKey.objects.update(allowed_origins=["https://elsewhere.example"])
    body = assert_problem(member.post("/playground/token"), 403, "forbidden")
    assert "The playground rests" in body["detail"]
    assert organization.api_keys.count() == 1
    assert spend(token).status_code in (401, 403)


def test_an_owner_opens_it_again_with_a_new_key_of_that_name(member, organization, settings):
    token_of(member)
    revoke_key(organization.api_keys.get(), now=timezone.now())
    create_key(name="Playground", organization=organization, allowed_origins=[settings.BASE_URL])
    assert spend(token_of(member)).status_code == 201


def test_a_token_is_not_given_to_other_sites(organization, member):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(member.user)
    assert strict.post("/playground/token").status_code == 403
    assert member.get("/playground/token").status_code == 405
    assert not organization.api_keys.exists()


# --- Background removal ----------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "content_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_the_backdrop_becomes_transparent_and_the_thing_stays(
    remove, organization, kind, content_type
):
    image = opened(remove(picture(kind), content_type=content_type))
    assert image.size == (40, 30)
    assert image.getpixel((1, 1))[3] == 0
    assert image.getpixel((20, 15))[3] == 255
    (spend,) = organization.spends.all()
    assert (spend.status, spend.credits, spend.released_credits) == ("spent", 1, 0)


def test_more_tolerance_takes_more_away(remove):
    def opaque(response) -> int:
        return opened(response).getchannel("A").histogram()[255]

    body = picture()
    assert opaque(remove(body, query="?tolerance=0")) > opaque(remove(body, query="?tolerance=60"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_pictures_of_every_kind_are_read(remove, mode):
    opened(remove(picture(mode=mode)))


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 50), (3, 3)])
def test_tiny_pictures_are_all_backdrop(remove, size):
    assert opened(remove(picture(size=size))).size == size


def test_a_photo_comes_out_the_way_it_was_held(remove):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = opened(remove(picture("JPEG", exif=exif), content_type="image/jpeg"))
    assert image.size == (30, 40)


def test_out_of_credits_is_the_same_402_as_everywhere(remove, organization, api):
    organization.weekly_credits = 0
    organization.save()
    body = assert_problem(remove(picture()), 402, "out_of_credits")
    assert body == api.spend("background.remove").json()
    assert_untouched(organization)


def test_a_repeat_gives_the_picture_again_and_is_not_charged(remove, organization):
    first = remove(picture(), key="tea-1")
    again = remove(picture(), key="tea-1")
    assert first.content == again.content
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert organization.spends.get().credits == 1


def test_a_repeat_of_a_captured_one_works_without_credits(remove, organization, api):
    assert remove(picture(), key="tea-1").status_code == 200
    assert api.spend(quantity=49).status_code == 201
    assert remove(picture(), key="tea-2").status_code == 402
    assert remove(picture(), key="tea-1").status_code == 200


@pytest.mark.parametrize(
    "other", [{"body": picture(size=(41, 30))}, {"body": picture(), "query": "?tolerance=13"}]
)
def test_one_key_pays_for_one_picture(remove, organization, other):
    assert remove(picture(), key="tea-1").status_code == 200
    assert_problem(remove(**other, key="tea-1"), 422, "idempotency_conflict")
    assert organization.spends.count() == 1


def test_a_repeat_after_the_credits_went_back_is_refused(remove, organization, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("credits.playground.cutout.cut_out", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            remove(picture(), key="tea-1")
    hold = organization.spends.get()
    assert hold.status == "held"
    later = hold.hold_expires_at
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert_problem(remove(picture(), key="tea-1"), 409, "conflict")
    assert organization.spends.get().status == "expired"


def test_a_repeat_in_time_finishes_what_broke_off(remove, organization, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("credits.playground.cutout.cut_out", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            remove(picture(), key="tea-1")
    assert remove(picture(), key="tea-1").status_code == 200
    assert organization.spends.get().status == "spent"


BROKEN = {
    "empty": b"",
    "text": b"not a picture",
    "cut off": picture(size=(400, 300))[:200],
    "another format": picture("GIF"),
    "header alone": picture()[:33],
    "changed": picture().replace(b"IDAT", b"IDAX"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_picture_is_refused_and_its_credits_go_back(remove, organization, name):
    body = assert_problem(remove(BROKEN[name], key="tea-1"), 400, "invalid_request")
    assert "PNG or JPEG" in body["detail"]
    assert organization.spends.get().status == "released"
    assert organization.grants.get().remaining == 50
    assert_problem(remove(BROKEN[name], key="tea-1"), 400, "invalid_request")


@pytest.mark.parametrize("size", [(2001, 2000), (20_000, 20_000)])
def test_a_picture_of_too_many_pixels_is_never_unpacked(remove, organization, size):
    output = BytesIO()
    Image.new("1", size).save(output, "PNG")
    assert len(output.getvalue()) < 100_000
    assert_problem(remove(output.getvalue()), 413, "payload_too_large")
    assert organization.grants.get().remaining == 50


def test_a_body_of_too_many_bytes_spends_nothing(remove, organization):
    assert_problem(remove(picture() + bytes(5_000_000)), 413, "payload_too_large")
    assert_untouched(organization)


@pytest.mark.parametrize("content_type", ["application/json", "image/gif", "multipart/form-data"])
def test_another_content_type_spends_nothing(remove, organization, content_type):
    problem = assert_problem(
        remove(picture(), content_type=content_type), 415, "unsupported_media_type"
    )
    assert "image/png" in problem["detail"]
    assert_untouched(organization)


@pytest.mark.parametrize(
    "query", ["?tolerance=-1", "?tolerance=101", "?tolerance=much", "?colour=red"]
)
def test_a_wrong_query_spends_nothing(remove, organization, query):
    assert_problem(remove(picture(), query=query), 400, "invalid_request")
    assert_untouched(organization)


def test_a_services_key_names_who_pays(remove, organization, service_api):
    secret = service_api.headers["Authorization"].removeprefix("Bearer ")
    assert_problem(remove(picture(), secret=secret), 400, "invalid_request")
    query = f"?organization={organization.public_id}"
    opened(remove(picture(), secret=secret, query=query))
    assert organization.spends.count() == 1


def test_keys_for_other_things_and_browser_tokens_are_refused(remove, organization, member):
    alt_text = Action.objects.filter(code="alt-text.generate")
    _, secret = create_key(name="Alt", organization=organization, allowed_actions=alt_text)
    assert_problem(remove(picture(), secret=secret), 403, "forbidden")
    assert_problem(remove(picture(), secret="ck_org_wrong"), 401, "unauthorized")
    assert_problem(remove(picture(), secret=token_of(member)), 403, "forbidden")
    assert_untouched(organization)


def test_it_is_not_part_of_the_products_own_schema(client, db):
    assert b"playground" not in client.get("/api/schema/").content
