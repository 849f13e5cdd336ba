"""Signing in and out, passwords and sign-up, for customers and in the admin."""

import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from credits.models import User

EMAIL, PASSWORD, NEW_PASSWORD = "dana@example.com", "a-calm-harbor-7", "seven-green-kites-4"
LOGIN, ADMIN_LOGIN = "/accounts/login/", "/admin/login/"
TOO_MANY = "Too many failed login attempts"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_rate_limits():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    """Passwords hashed in no time, as these tests try many."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def customer() -> User:
    return User.objects.create_user(EMAIL, PASSWORD)


@pytest.fixture
def administrator() -> User:
    return User.objects.create_superuser("staff@example.com", PASSWORD)


def sign_in(client: Client, email=EMAIL, password=PASSWORD, **fields):
    return client.post(LOGIN, {"login": email, "password": password, **fields})


def sign_in_to_admin(client: Client, email: str, password=PASSWORD):
    """Through the admin's door, as a browser does that was led to it."""
    door = client.get(ADMIN_LOGIN)
    return client.post(door.url, {"login": email, "password": password, "next": "/admin/"})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("email", [EMAIL, "Dana@Example.COM", f" {EMAIL} "])
def test_a_customer_signs_in_with_their_address_however_it_is_typed(client, customer, email):
    response = sign_in(client, email)
    assert response.status_code == 302
    assert response.url == reverse("home")
    assert is_signed_in(client)


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
def test_a_wrong_password_and_an_unknown_address_look_the_same(client, customer, email):
    response = sign_in(client, email, "wrong")
    assert "not correct" in response.text
    assert not is_signed_in(client)


def test_a_closed_account_cannot_sign_in(client, customer):
    customer.is_active = False
    customer.save()
    response = client.post(LOGIN, {"login": EMAIL, "password": PASSWORD}, follow=True)
    assert "This account is closed" in response.text
    assert not is_signed_in(client)


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:1"])
def test_signing_in_never_leads_to_another_site(client, customer, elsewhere):
    assert sign_in(client, next=elsewhere).url == reverse("home")


def test_signing_in_leads_back_to_the_page_asked_for(client, customer):
    assert sign_in(client, next="/purchases/").url == "/purchases/"


def test_five_failed_attempts_stop_even_the_right_password(client, customer):
    for _ in range(5):
        sign_in(client, password="wrong")
    assert TOO_MANY in sign_in(client).text
    assert not is_signed_in(client)


def test_failed_attempts_at_the_admin_count_at_the_customers_door(client, customer):
    for _ in range(5):
        sign_in_to_admin(client, EMAIL, "wrong")
    assert TOO_MANY in sign_in(client).text
    assert not is_signed_in(client)


def test_failed_attempts_stop_the_admins_sign_in_too(client, administrator):
    for _ in range(5):
        assert "not correct" in sign_in_to_admin(client, administrator.email, "wrong").text
    assert TOO_MANY in sign_in_to_admin(client, administrator.email).text
    assert not is_signed_in(client)


def test_behind_a_proxy_failed_attempts_count_for_the_client_and_not_for_everybody(
    client, customer, settings
):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    attacker = Client(headers={"X-Forwarded-For": "203.0.113.9"})
    for number in range(11):
        refused = sign_in(attacker, f"guess-{number}@example.com", "wrong")
    assert TOO_MANY in refused.text
    assert sign_in(Client(headers={"X-Forwarded-For": "198.51.100.7"})).status_code == 302


def test_right_passwords_never_use_up_the_attempts(client, administrator):
    for _ in range(6):
        assert sign_in_to_admin(client, administrator.email).status_code == 302
        client.logout()
        assert sign_in(client, administrator.email).status_code == 302
        client.logout()


def test_staff_sign_in_to_the_admin_and_customers_do_not(client, administrator, customer):
    assert sign_in_to_admin(client, EMAIL).url == "/admin/"
    refused = client.get("/admin/", follow=True)
    assert refused.status_code == 403
    assert f"You are signed in as {EMAIL}, which is not staff" in refused.text

    client.post("/accounts/logout/")
    assert sign_in_to_admin(client, administrator.email.upper()).status_code == 302
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    ("asked", "led_to"), [("", "/admin/"), ("?next=/admin/topups/plan/", "/admin/topups/plan/")]
)
def test_staff_are_led_to_the_admin_and_not_to_the_customers_pages(
    client, administrator, asked, led_to
):
    page = client.get(f"{ADMIN_LOGIN}{asked}", follow=True)
    assert "The admin is for staff" in page.text
    hidden = re.search(r'name="next" value="([^"]*)"', page.text)
    form = {"login": administrator.email, "password": PASSWORD, "next": hidden[1]}
    assert client.post(LOGIN, form).url == led_to
    assert client.get(f"{ADMIN_LOGIN}{asked}").url == led_to


def test_the_admins_door_leads_to_no_other_site(client, administrator):
    elsewhere = f"{ADMIN_LOGIN}?next=https://evil.example/"
    assert client.get(elsewhere).url == f"{LOGIN}?next=%2Fadmin%2F"
    client.force_login(administrator)
    assert client.get(elsewhere).url == "/admin/"


def test_a_closed_staff_account_cannot_sign_in_to_the_admin(client, administrator):
    administrator.is_active = False
    administrator.save()
    sign_in_to_admin(client, administrator.email)
    assert not is_signed_in(client)


def test_signing_out_takes_a_press_of_the_button(client, customer):
    client.force_login(customer)
    assert "Sign out?" in client.get(reverse("account_logout")).text
    assert is_signed_in(client)
    client.post(reverse("account_logout"))
    assert not is_signed_in(client)


def test_sign_up_is_closed_by_default(client):
    form = {"email": EMAIL, "password1": PASSWORD, "password2": PASSWORD}
    for response in (client.get("/accounts/signup/"), client.post("/accounts/signup/", form)):
        assert "ask your administrator" in response.text
    assert not User.objects.exists()


def test_sign_up_opens_by_setting_and_wants_the_address_confirmed(client, settings):
    settings.SIGNUP_OPEN = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    assert "Sign up" in client.get(LOGIN).text
    form = {"email": EMAIL, "password1": PASSWORD, "password2": PASSWORD}
    client.post("/accounts/signup/", form)
    assert User.objects.filter(email=EMAIL).exists()
    assert not is_signed_in(client)
    client.post(_link_in(mail.outbox[0].body))
    assert sign_in(client).url == reverse("home")


def test_a_forgotten_password_is_replaced_through_the_mailed_link_once(client, customer):
    response = client.post(reverse("account_reset_password"), {"email": EMAIL}, follow=True)
    assert "Check your email" in response.text
    (message,) = mail.outbox
    assert message.to == [EMAIL]
    assert message.subject == "Reset your password"
    assert "somebody, perhaps you" in message.body.lower()

    form_page = client.get(_link_in(message.body), follow=True)
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    done = client.post(form_page.request["PATH_INFO"], passwords, follow=True)
    assert "Your password is changed" in done.text
    assert sign_in(client, password=NEW_PASSWORD).status_code == 302

    again = Client().get(_link_in(message.body), follow=True)
    assert "This link no longer works" in again.text


def test_a_weak_new_password_is_refused_with_the_reason(client, customer):
    client.post(reverse("account_reset_password"), {"email": EMAIL})
    form_page = client.get(_link_in(mail.outbox[0].body), follow=True)
    passwords = {"password1": "12345", "password2": "12345"}
    assert "too short" in client.post(form_page.request["PATH_INFO"], passwords).text
    assert sign_in(client).status_code == 302


def test_resetting_an_unknown_address_tells_the_page_nothing_and_the_mailbox_the_truth(client):
    form = {"email": "nobody@example.com"}
    response = client.post(reverse("account_reset_password"), form, follow=True)
    assert "Check your email" in response.text
    assert "There is no such account" in mail.outbox[0].body
    assert "/accounts/signup/" not in mail.outbox[0].body


def test_changing_the_password_keeps_the_session(client, customer):
    client.force_login(customer)
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    response = client.post(reverse("account_change_password"), form, follow=True)
    assert "Your password is changed" in response.text
    assert is_signed_in(client)
    customer.refresh_from_db()
    assert customer.check_password(NEW_PASSWORD)


def test_too_many_requests_get_a_page_that_says_to_wait(client, settings):
    settings.ACCOUNT_RATE_LIMITS = {"reset_password": "1/m/ip"}
    url = reverse("account_reset_password")
    client.post(url, {"email": EMAIL})
    response = client.post(url, {"email": EMAIL})
    assert response.status_code == 429
    assert "One moment, please" in response.text
    assert "site.css" in response.text


@pytest.mark.parametrize(
    "page",
    ["inactive", "confirm-email", "password/set", "reauthenticate", "password/reset/done"],
)
def test_pages_that_nothing_leads_to_share_the_look_too(client, customer, page):
    client.force_login(customer)
    response = client.get(f"/accounts/{page}/", follow=True)
    assert response.status_code == 200
    assert "site.css" in response.text
    assert "Menu:" not in response.text


def _link_in(body: str) -> str:
    match = re.search(r"http://testserver(/\S+)", body)
    assert match is not None
    return match[1]


def test_nobody_takes_an_address_that_is_not_shown_to_be_theirs(client, db, django_user_model):
    user = django_user_model.objects.create_user("me@example.com", "correct horse")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    for form in ({"action_add": "", "email": "boss@example.com"}, {"action_primary": ""}):
        assert client.post("/accounts/email/", form).status_code == 404
    user.refresh_from_db()
    assert user.email == "me@example.com"
