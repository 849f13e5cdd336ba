"""Two-factor sign-in: staff must, everybody may."""

import re
from datetime import timedelta

import pytest
from codes import WRONG_CODE, code, has_second_factor, set_up
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core import mail
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.utils import timezone

from credits import tasks
from credits.models import Email, User

PASSWORD, NEW_PASSWORD = "a-calm-harbor-7", "seven-green-kites-4"
LOGIN, ASK, ASK_AGAIN = (
    "/accounts/login/",
    "/accounts/2fa/authenticate/",
    "/accounts/2fa/reauthenticate/",
)
SET_UP, CODES = "/accounts/2fa/totp/activate/", "/accounts/2fa/recovery-codes/"
LIST = "/admin/credits/organization/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def required(settings, monkeypatch):
    """As in production; nobody remembers any tries, and passwords hash in no time."""
    # The transaction of the test is never committed.
    monkeypatch.setattr(transaction, "on_commit", lambda then: then())
    settings.STAFF_TWO_FACTOR_REQUIRED = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def sam() -> User:
    """Somebody of the support group, without a second factor so far."""
    user = User.objects.create_user("sam@example.com", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="support"))
    return user


@pytest.fixture
def boss() -> Client:
    """An administrator who is signed in with a second factor."""
    user = User.objects.create_user("boss@example.com", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="administrators"))
    set_up(user)
    client = Client()
    sign_in(client, user.email)
    client.post(ASK, {"code": code()})
    return client


def sign_in(client: Client, email="sam@example.com", password=PASSWORD, wanted=LIST):
    return client.post(LOGIN, {"login": email, "password": password, "next": wanted})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def is_inside(client: Client) -> bool:
    """Whether the client is in the admin."""
    return client.get(LIST).status_code == 200


def shown_secret(client: Client) -> str:
    return re.search(r'class="secret"><code>(\w+)</code>', client.get(SET_UP).text)[1]


def test_without_one_staff_are_led_to_set_it_up_and_come_back_to_where_they_were(client, sam):
    assert sign_in(client).url == LIST
    led = client.get(LIST, follow=True)
    assert led.request["PATH_INFO"] == SET_UP
    assert "Set one up to go on" in led.text
    assert not is_inside(client)

    secret = shown_secret(client)
    assert client.post(SET_UP, {"code": code(secret)}).url == CODES
    done = client.get(CODES)
    assert len(re.findall(r"<li><code>\d{8}</code>", done.text)) == 10
    assert f'href="{LIST}"' in done.text
    assert is_inside(client)


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/password_change/", "/admin/jsi18n/", "/admin/nothing/", "/sandbox/"]
)
def test_without_one_no_door_of_staff_opens(client, sam, path):
    sign_in(client)
    assert client.get(path).url == SET_UP
    assert client.post(path).url == SET_UP


def test_without_one_nothing_is_done_by_post(client, sam, organization):
    sign_in(client)
    client.post(f"{LIST}{organization.pk}/adjust/", {"credits": 5, "reason": "x"})
    client.post("/sandbox/do/hold-deliveries/")
    assert not organization.entries.exists()
    assert not has_second_factor(sam)


def test_without_one_staff_can_still_sign_out_and_use_the_customers_pages(client, sam):
    sign_in(client)
    assert client.get("/purchases/").status_code == 200
    client.post("/admin/logout/")
    assert not is_signed_in(client)


@pytest.mark.parametrize("door", ["/admin/login/", LOGIN])
def test_with_one_it_is_asked_for_at_every_door(client, sam, door):
    set_up(sam)
    form = client.get(door, follow=True).request["PATH_INFO"]
    asked = client.post(form, {"login": sam.email, "password": PASSWORD, "next": LIST})
    assert asked.url == ASK
    assert not is_signed_in(client)
    assert client.get(LIST).url.startswith("/admin/login/")
    assert "Incorrect code" in client.post(ASK, {"code": WRONG_CODE}).text
    assert not is_signed_in(client)
    assert client.post(ASK, {"code": code()}).url == LIST
    assert is_inside(client)


def test_a_code_is_taken_with_spaces_and_from_a_clock_that_is_a_step_off(client, sam):
    set_up(sam)
    sign_in(client)
    late = code(steps=-1)
    assert client.post(ASK, {"code": f" {late[:3]} {late[3:]} "}).url == LIST


@pytest.mark.parametrize("steps", [-2, 2])
def test_a_code_of_another_time_is_wrong(client, sam, steps):
    set_up(sam)
    sign_in(client)
    assert "Incorrect code" in client.post(ASK, {"code": code(steps=steps)}).text


@pytest.mark.parametrize("sent", ["", "x", "一二三四五六", "1" * 5000, "12345\u0000"])
def test_what_is_no_code_is_refused_in_the_form(client, sam, sent):
    set_up(sam)
    sign_in(client)
    assert 'aria-invalid="true"' in client.post(ASK, {"code": sent}).text
    assert not is_signed_in(client)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_no_code_works_twice_for_as_long_as_it_could_be_right(client, sam, steps):
    set_up(sam)
    sign_in(client)
    used = code(steps=steps)
    assert client.post(ASK, {"code": used}).url == LIST
    # allauth's own memory of it ends after one step.
    cache.delete(f"allauth.mfa.totp.used?user={sam.pk}&code={used}")
    thief = Client()
    sign_in(thief)
    assert "Incorrect code" in thief.post(ASK, {"code": used}).text
    assert not is_signed_in(thief)


def test_the_code_that_set_it_up_does_not_sign_in(client, sam):
    sign_in(client)
    secret = shown_secret(client)
    used = code(secret)
    client.post(SET_UP, {"code": used})
    thief = Client()
    sign_in(thief)
    assert "Incorrect code" in thief.post(ASK, {"code": used}).text


def test_five_wrong_codes_stop_even_the_right_one(client, sam):
    set_up(sam)
    sign_in(client)
    for wrong in range(5):
        client.post(ASK, {"code": f"00000{wrong}"})
    assert "Too many failed" in client.post(ASK, {"code": code()}).text
    again = Client()
    sign_in(again)
    assert "Too many failed" in again.post(ASK, {"code": code(steps=1)}).text
    assert not is_signed_in(again)


def test_a_recovery_code_signs_in_once(client, sam):
    first, *_ = set_up(sam)
    sign_in(client)
    assert client.post(ASK, {"code": first}).url == LIST
    assert is_inside(client)
    cache.clear()
    again = Client()
    sign_in(again)
    assert "Incorrect code" in again.post(ASK, {"code": first}).text


def test_recovery_codes_are_shown_once_and_can_be_kept_as_a_file(client, sam):
    sign_in(client)
    secret = shown_secret(client)
    client.post(SET_UP, {"code": code(secret)})
    page = client.get(CODES).text
    codes = re.findall(r"<li><code>(\d{8})</code>", page)
    file = re.search(
        r'download="recovery-codes.txt" href="data:text/plain;charset=utf-8,(.*?)"', page
    )
    assert file[1] == "".join(f"{one}%0D%0A" for one in codes)
    again = client.get(CODES).text
    assert "10 recovery codes are left" in again
    assert not any(one in again for one in codes)
    assert client.get(f"{CODES}download/").status_code == 403


def test_new_recovery_codes_end_the_old_ones(client, sam):
    sign_in(client)
    secret = shown_secret(client)
    client.post(SET_UP, {"code": code(secret)})
    page = client.get(CODES).text
    old = re.search(r"<li><code>(\d{8})</code>", page)[1]
    client.post(f"{CODES}generate/")
    page = client.get(CODES).text
    new = re.search(r"<li><code>(\d{8})</code>", page)[1]
    assert is_inside(client)
    other = Client()
    sign_in(other)
    assert "Incorrect code" in other.post(ASK, {"code": old}).text
    assert other.post(ASK, {"code": new}).url == LIST


# --- Nobody gets past -------------------------------------------------------------------------


def test_a_password_reset_does_not_get_past(client, sam):
    set_up(sam)
    client.post("/accounts/password/reset/", {"email": sam.email})
    link = re.search(r"http://testserver(/\S+)", mail.outbox[0].body)[1]
    form = client.get(link, follow=True).request["PATH_INFO"]
    client.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    assert not is_signed_in(client)
    assert sign_in(client, password=NEW_PASSWORD).url == ASK
    assert not is_signed_in(client)
    assert has_second_factor(sam)


def test_a_session_from_before_it_was_required_does_not_get_past(client, sam, settings):
    settings.STAFF_TWO_FACTOR_REQUIRED = False
    sign_in(client)
    assert is_inside(client)
    settings.STAFF_TWO_FACTOR_REQUIRED = True
    assert client.get(LIST).url == SET_UP


def test_a_session_from_before_it_was_set_up_is_asked_for_it(client, sam):
    sign_in(client)
    set_up(sam)
    asked = client.get(LIST)
    assert asked.url == f"{ASK_AGAIN}?next=%2Fadmin%2Fcredits%2Forganization%2F"
    assert "Enter your code" in client.get(asked.url).text
    assert client.post(asked.url, {"code": WRONG_CODE}).status_code == 200
    assert not is_inside(client)
    assert client.post(ASK_AGAIN, {"code": code(), "next": LIST}).url == LIST
    assert is_inside(client)


def test_becoming_staff_within_a_session_does_not_get_past(client):
    user = User.objects.create_user("dana@example.com", PASSWORD)
    sign_in(client, user.email)
    user.is_staff = user.is_superuser = True
    user.save()
    assert client.get(LIST).url == SET_UP
    set_up(user)
    assert client.get(LIST).url.startswith(ASK_AGAIN)


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/2fa/",
        SET_UP,
        "/accounts/2fa/totp/deactivate/",
        CODES,
        f"{CODES}generate/",
        f"{CODES}download/",
    ],
)
def test_a_session_that_has_not_shown_it_changes_nothing_about_it(client, sam, path):
    """Not even with the password: that is what a second factor is for."""
    sign_in(client)
    set_up(sam)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    for response in (client.get(path), client.post(path)):
        assert response.url.startswith(ASK_AGAIN)
    assert has_second_factor(sam)


def test_a_session_opened_with_one_that_was_taken_away_does_not_get_past(client, sam, boss):
    set_up(sam)
    sign_in(client)
    client.post(ASK, {"code": code()})
    assert is_inside(client)
    boss.post(f"/admin/credits/user/{sam.pk}/reset_second_factor/")
    assert client.get(LIST).url == SET_UP


def test_setting_one_up_takes_the_password_again_some_time_after_sign_in(client, sam, set_clock):
    sign_in(client)
    assert client.get(SET_UP).status_code == 200
    set_clock(timezone.now() + timedelta(minutes=6))
    asked = client.get(SET_UP)
    assert asked.url.startswith("/accounts/reauthenticate/")
    assert client.post(asked.url, {"password": "wrong"}).status_code == 200
    assert client.post(asked.url, {"password": PASSWORD}).url == SET_UP
    assert client.get(SET_UP).status_code == 200


# --- Where it is not required -----------------------------------------------------------------


def test_where_it_is_not_required_staff_without_one_just_sign_in(client, sam, settings):
    settings.STAFF_TWO_FACTOR_REQUIRED = False
    sign_in(client)
    assert is_inside(client)


def test_customers_are_never_required_to_and_may(client):
    user = User.objects.create_user("dana@example.com", PASSWORD)
    assert sign_in(client, user.email, wanted="/purchases/").url == "/purchases/"
    assert client.get("/purchases/").status_code == 200
    assert "Set it up" in client.get("/accounts/2fa/").text
    client.post(SET_UP, {"code": code(shown_secret(client))})
    page = client.get("/accounts/2fa/").text
    assert "10 recovery codes are left" in page

    again = Client()
    assert sign_in(again, user.email).url == ASK
    client.post("/accounts/2fa/totp/deactivate/")
    assert not has_second_factor(user)
    tasks.send_mail()
    assert [message.subject for message in mail.outbox] == [
        "A second factor was set up",
        "Your second factor was turned off",
    ]


# --- Lost ones --------------------------------------------------------------------------------


def reset(client: Client, user: User, method="post"):
    return getattr(client, method)(f"/admin/credits/user/{user.pk}/reset_second_factor/")


def test_an_administrator_takes_a_lost_one_away(boss, client, sam):
    set_up(sam)
    page = boss.get(f"/admin/credits/user/{sam.pk}/change/").text
    assert "Authenticator app, since" in page
    assert "Remove second factor" in page
    assert "their password alone signs them in" in reset(boss, sam, "get").text
    assert has_second_factor(sam)

    assert f"Removed the second factor of {sam}" in boss.get(reset(boss, sam).url).text
    assert not has_second_factor(sam)
    assert LogEntry.objects.get(object_id=sam.pk).change_message == "Removed the second factor."
    tasks.send_mail()
    (message,) = mail.outbox
    assert (message.to, message.subject) == ([sam.email], "Your second factor was removed")
    assert sign_in(client).url == LIST
    assert client.get(LIST).url == SET_UP
    assert "Remove second factor" not in boss.get(f"/admin/credits/user/{sam.pk}/change/").text


def test_taking_away_what_is_not_there_changes_and_tells_nothing(boss, sam):
    assert "has no second factor" in boss.get(reset(boss, sam).url).text
    assert not LogEntry.objects.exists()
    assert not Email.objects.exists()


def test_nobody_takes_it_from_a_superuser_or_from_themselves_that_way(boss, sam):
    sam.is_superuser = True
    sam.save()
    set_up(sam)
    administrator = User.objects.get(email="boss@example.com")
    for user in (sam, administrator):
        assert reset(boss, user).status_code == 403
        assert has_second_factor(user)
