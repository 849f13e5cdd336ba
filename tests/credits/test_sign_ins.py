"""The sign-in log: who came in or tried to, from where and how."""

import re
from datetime import timedelta

import pytest
from codes import WRONG_CODE, code, set_up
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from credits import sign_ins, tasks
from credits.models import SignIn, User
from tests.credits.team import PASSWORD

LOGIN, ASK, LIST = "/accounts/login/", "/accounts/2fa/authenticate/", "/admin/credits/signin/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def dana() -> User:
    return User.objects.create_user("dana@example.com", PASSWORD)


@pytest.fixture
def sam() -> User:
    return User.objects.create_user("sam@example.com", PASSWORD, is_staff=True)


def sign_in(client: Client, email="dana@example.com", password=PASSWORD):
    return client.post(LOGIN, {"login": email, "password": password})


def lines(**only) -> list[tuple[str, str, str]]:
    """Address, outcome and methods, the oldest first."""
    found = SignIn.objects.filter(**only).order_by("id")
    return list(found.values_list("email", "outcome", "methods"))


def write(at=None, **facts) -> SignIn:
    sign_ins.record(sign_ins.Outcome.SIGNED_IN, now=at or timezone.now(), **facts)
    return SignIn.objects.latest("id")


def test_coming_and_going_is_written_down_with_who_where_and_how(dana):
    client = Client(headers={"User-Agent": FIREFOX}, REMOTE_ADDR="203.0.113.9")
    sign_in(client, "Dana@Example.com")
    client.post("/accounts/logout/")
    assert lines() == [
        ("dana@example.com", "signed_in", "password"),
        ("dana@example.com", "signed_out", ""),
    ]
    for line in SignIn.objects.all():
        assert (line.user, line.ip, line.user_agent) == (dana, "203.0.113.9", FIREFOX)
        assert timezone.now() - line.at < timedelta(minutes=1)


def test_behind_a_proxy_it_is_the_visitors_own_address(client, dana, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    sign_in(Client(headers={"X-Forwarded-For": "10.9.9.9, 2001:db8::7"}))
    assert SignIn.objects.get().ip == "2001:db8::7"


def test_wrong_passwords_are_written_down_also_where_nobody_has_the_address(client, dana):
    sign_in(client, password="wrong")
    sign_in(client, "Nobody@example.com", "wrong")
    assert lines() == [
        ("dana@example.com", "wrong_password", ""),
        ("nobody@example.com", "wrong_password", ""),
    ]
    assert [line.user for line in SignIn.objects.order_by("id")] == [dana, None]


def test_the_second_factor_is_one_of_the_methods_and_a_wrong_code_an_outcome(client, sam):
    first, *_ = set_up(sam)
    for given in (WRONG_CODE, code()):
        sign_in(client, sam.email)
        client.post(ASK, {"code": given})
    client.post("/accounts/logout/")
    sign_in(client, sam.email)
    client.post(ASK, {"code": first})
    assert [line[1:] for line in lines()] == [
        ("wrong_code", ""),
        ("signed_in", "password, totp"),
        ("signed_out", ""),
        ("signed_in", "password, recovery_codes"),
    ]


def test_a_closed_account_is_refused(client, dana):
    dana.is_active = False
    dana.save()
    sign_in(client)
    assert ("dana@example.com", "refused", "") in lines()


def test_an_endless_browser_name_is_cut(client, dana):
    sign_in(Client(headers={"User-Agent": "x" * 5_000}))
    assert SignIn.objects.get().user_agent == "x" * 200


def test_a_request_without_a_browser_or_an_address_is_written_down_too(dana):
    client = Client()
    client.force_login(dana)
    assert SignIn.objects.get().ip is None


# --- Floods -----------------------------------------------------------------------------------


def test_tries_beyond_the_rate_limit_are_told_once_in_five_minutes(client, dana, set_clock):
    for _ in range(20):
        sign_in(client, password="wrong")
    assert lines(outcome="refused") == [("dana@example.com", "refused", "")]
    assert SignIn.objects.filter(outcome="wrong_password").count() == 5


def test_many_addresses_from_many_places_fill_no_disk(client, sam):
    now = timezone.now().replace(second=0)
    for number in range(sign_ins.MAX_FAILURES_A_MINUTE + 50):
        tried = {"email": f"guess-{number}@example.com", "ip": f"2001:db8::{number:x}"}
        sign_ins.record(sign_ins.Outcome.WRONG_PASSWORD, now=now, **tried)
    assert SignIn.objects.count() == sign_ins.MAX_FAILURES_A_MINUTE

    sign_ins.record(sign_ins.Outcome.WRONG_PASSWORD, now=now, email=sam.email)
    assert lines(user=sam) == [("sam@example.com", "wrong_password", "")]
    sign_ins.record(sign_ins.Outcome.SIGNED_IN, now=now, email="guess-1@example.com")
    assert lines(outcome="signed_in") == [("guess-1@example.com", "signed_in", "")]
    next_minute = now + timedelta(minutes=1)
    sign_ins.record(sign_ins.Outcome.WRONG_PASSWORD, now=next_minute, email="a@example.com")
    assert lines(email="a@example.com")


# --- Kept, and forgotten in time --------------------------------------------------------------


def test_lines_are_forgotten_after_the_days_of_the_setting(dana, settings, monkeypatch):
    monkeypatch.setattr(sign_ins, "FORGOTTEN_AT_ONCE", 2)
    now = timezone.now()
    for days in (500, 450, 401, 399, 0):
        write(now - timedelta(days=days), user=dana)
    tasks.forget_sign_ins()
    assert SignIn.objects.count() == 2
    settings.SIGN_IN_LOG_DAYS = 30
    tasks.forget_sign_ins()
    assert SignIn.objects.count() == 1


def test_the_database_lets_no_line_be_changed_and_no_young_one_go(dana):
    young = write(user=dana)
    old = write(timezone.now() - timedelta(days=31), user=dana)
    for line in (young, old):
        with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
            SignIn.objects.filter(pk=line.pk).update(outcome="signed_out")
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        young.delete()
    old.delete()


# --- In the admin -----------------------------------------------------------------------------


def test_the_list_is_searched_by_address_and_by_ip(admin, dana):
    write(user=dana, ip="203.0.113.9", user_agent="Browser of Dana")
    write(email="eve@example.com", ip="2001:db8::7", user_agent="Browser of Eve")

    def found(term: str) -> set[str]:
        page = admin.get(LIST, {"q": term}).text
        return set(re.findall("Browser of ([A-Z][a-z]+)", page))

    assert found("Dana@example.com ") == {"Dana"}
    assert found("203.0.113.9") == {"Dana"}
    assert found("2001:DB8:0::7") == {"Eve"}
    assert found("203.0.113") == found("dana") == set()


def test_the_list_is_filtered(admin, dana, sam):
    write(user=dana)
    sign_ins.record(sign_ins.Outcome.WRONG_PASSWORD, user=sam, now=timezone.now())
    page = admin.get(LIST, {"outcome__exact": "wrong_password"}).text
    assert "sam@example.com" in page
    assert "dana@example.com" not in page
    page = admin.get(LIST, {"user__id__exact": dana.pk}).text
    assert f"/admin/credits/user/{dana.pk}/change/" in page
    assert f"/admin/credits/user/{sam.pk}/change/" not in page


def test_the_last_ones_are_on_the_page_of_the_user(admin, sign_in, dana):
    for number in range(12):
        write(timezone.now() + timedelta(seconds=number), user=dana, ip=f"203.0.113.{number}")
    url = f"/admin/credits/user/{dana.pk}/change/"
    page = admin.get(url).text
    assert "Last sign-ins" in page
    assert "203.0.113.11" in page
    assert re.search(r"203\.0\.113\.2\b", page)
    assert not re.search(r"203\.0\.113\.1\b", page)
    assert "Last sign-ins" not in sign_in("support").get(url).text


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "sign_ins_by_time"),
        ({"user_id": 7}, "sign_ins_by_user"),
        ({"email": "dana7@example.com"}, "sign_ins_by_email"),
        ({"ip": "10.0.0.7"}, "sign_ins_by_ip"),
        ({"outcome": "wrong_code"}, "sign_ins_by_outcome"),
    ],
)
def test_the_newest_page_of_a_long_log_is_read_from_an_index(query, index):
    """Also for an outcome that is one line in ten thousand."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO credits_user (id, email, password, is_superuser, is_staff, is_active,
                                      first_name, last_name, date_joined)
            SELECT n, 'dana' || n || '@example.com', '', false, false, true, '', '', now()
            FROM generate_series(0, 999) n;
            INSERT INTO credits_signin (at, user_id, email, outcome, methods, ip, user_agent)
            SELECT now() - n * interval '1 minute', n % 1000, 'dana' || n % 1000 || '@example.com',
                CASE WHEN n % 10000 = 0 THEN 'wrong_code' ELSE 'signed_in' END, 'password',
                ('10.0.' || n / 256 % 256 || '.' || n % 256)::inet, ''
            FROM generate_series(1, 60000) n;
            ANALYZE credits_signin
            """
        )
    page = SignIn.objects.filter(**query)[:50]
    assert index in page.explain()
