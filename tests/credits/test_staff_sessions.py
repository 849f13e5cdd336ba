"""Sessions of staff end when nothing happens, and in the end anyway; those of customers go on."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from credits.models import SignIn, User
from tests.credits.team import PASSWORD, signed_in

LIST, SIGN_IN = "/admin/credits/organization/", "/accounts/login/"
SOON, HOUR = timedelta(minutes=50), timedelta(hours=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def sam() -> User:
    return User.objects.create_superuser("sam@example.com", PASSWORD)


@pytest.fixture
def later(set_clock):
    """Lets time pass."""
    moment = timezone.now()
    set_clock(moment)

    def later(passed: timedelta) -> None:
        nonlocal moment
        moment += passed
        set_clock(moment)

    return later


def is_inside(client: Client, path: str = LIST) -> bool:
    return client.get(path).status_code == 200


def test_staff_are_signed_out_when_nothing_happened_for_an_hour(sam, later):
    client = signed_in(sam)
    later(HOUR - timedelta(seconds=1))
    assert is_inside(client)
    later(HOUR)
    assert not is_inside(client)


def test_whoever_goes_on_working_stays(sam, later):
    client = signed_in(sam)
    for _ in range(4):
        later(SOON)
        assert is_inside(client)


def test_work_within_a_minute_of_the_last_that_was_written_counts_for_that_minute(sam, later):
    client = signed_in(sam)
    later(timedelta(minutes=30))
    assert is_inside(client)
    later(timedelta(seconds=59))
    assert is_inside(client)
    later(HOUR - timedelta(seconds=60))
    assert is_inside(client)


def test_after_twelve_hours_staff_are_signed_out_whatever_they_do(sam, later):
    client = signed_in(sam)
    for _ in range(14):
        later(SOON)
        assert is_inside(client)
    later(SOON)
    page = client.get(LIST, follow=True)
    assert "You were signed out, as 12 hours have passed. Sign in to go on." in page.text


def test_the_times_are_settings(sam, later, settings):
    settings.STAFF_SESSION_IDLE_MINUTES, settings.STAFF_SESSION_MAX_HOURS = 10, 1
    client = signed_in(sam)
    later(timedelta(minutes=10))
    assert not is_inside(client)
    client = signed_in(sam)
    for _ in range(6):
        later(timedelta(minutes=9))
        assert is_inside(client)
    later(timedelta(minutes=9))
    assert "as an hour has passed" in client.get(LIST, follow=True).text


def test_it_is_told_and_the_page_comes_back_after_signing_in(sam, later):
    client = signed_in(sam)
    later(HOUR)
    page = client.get(f"{LIST}?q=acme", follow=True)
    assert "You were signed out, as nothing happened for 60 minutes. Sign in to go on." in page.text
    wanted = page.context["redirect_field_value"]
    assert wanted == f"{LIST}?q=acme"
    form = {"login": sam.email, "password": PASSWORD, "next": wanted}
    assert client.post(SIGN_IN, form).url == f"{LIST}?q=acme"
    assert is_inside(client)


def test_a_form_that_was_sent_too_late_does_nothing(sam, later, organization):
    client = signed_in(sam)
    later(HOUR)
    client.post(f"{LIST}{organization.pk}/suspend/")
    organization.refresh_from_db()
    assert not organization.is_suspended


@pytest.mark.parametrize("path", ["/purchases/", "/sandbox/", "/accounts/2fa/"])
def test_it_ends_at_every_door(sam, later, path):
    client = signed_in(sam)
    later(HOUR)
    assert client.get(path).status_code == 302
    assert "_auth_user_id" not in client.session


def test_customers_stay_signed_in(later):
    client = signed_in(User.objects.create_user("dana@example.com", PASSWORD))
    later(timedelta(days=10))
    assert is_inside(client, "/purchases/")


def test_a_session_from_before_this_was_counted_begins_when_it_is_seen(sam, later):
    client = signed_in(sam)
    session = client.session
    del session["signed_in_at"]
    session.save()
    later(timedelta(days=3))
    assert is_inside(client)
    later(HOUR)
    assert not is_inside(client)


def test_becoming_staff_within_a_session_begins_no_new_one(later):
    user = User.objects.create_user("dana@example.com", PASSWORD)
    client = signed_in(user)
    later(timedelta(hours=13))
    user.is_staff = user.is_superuser = True
    user.save()
    assert not is_inside(client)


def test_the_end_is_in_the_log(sam, later):
    client = signed_in(sam)
    later(HOUR)
    client.get(LIST)
    assert list(sam.sign_ins.values_list("outcome", flat=True)) == ["timed_out", "signed_in"]


def test_who_has_no_session_gets_none(client):
    client.get("/docs/")
    assert not client.cookies
    assert not SignIn.objects.exists()
