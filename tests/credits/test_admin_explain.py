"""The pages that explain a balance and a spend, and who may open them."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credits import ledger, staff_keys
from credits.models import Grant, StaffKey
from tests.credits.acme import REASON, WEDNESDAY, a_week_at_acme
from tests.purchases import paid_purchase

pytestmark = pytest.mark.django_db

STAFF_KEYS = "/admin/credits/staffkey/"


@pytest.fixture
def support(sign_in):
    return sign_in("support")


@pytest.fixture
def acme(support, set_clock):
    set_clock(WEDNESDAY)
    return a_week_at_acme(support.user)


def balance_url(acme) -> str:
    return f"/admin/credits/organization/{acme.organization.pk}/explain/"


def spend_url(spend) -> str:
    return f"/admin/credits/spend/{spend.pk}/explain/"


def words(response) -> str:
    """What the page says, in one line."""
    assert response.status_code == 200
    text = re.sub(r"<[^>]+>", " ", response.text.partition('id="content-main"')[2])
    return " ".join(text.split())


# A balance


def test_the_page_tells_what_there_is_now_and_what_made_it(support, acme):
    page = words(support.get(balance_url(acme)))
    assert "Acme could spend 96 at Wed, Nov 25, 2026, 10:00:00 UTC" in page
    assert f"{support.user.email}: {REASON}" in page
    assert "Staff adjustment 96 of 100" in page
    assert "Used up or lapsed since Monday Weekly bundle 0 of 50" in page


def test_the_page_tells_any_moment_in_utc(support, acme):
    response = support.get(balance_url(acme), {"at": "2026-11-23T12:00:00"})
    assert "could spend 48 at Mon, Nov 23, 2026, 12:00:00 UTC" in words(response)
    assert 'value="2026-11-23T12:00:00"' in response.text
    assert REASON not in response.text


def test_the_page_tells_an_untouched_bundle_and_when_it_was_written_down(support, acme):
    page = words(support.get(balance_url(acme), {"at": "2026-11-23T08:00:00Z"}))
    assert "could spend 50 at" in page
    assert "Its first use wrote it down at 2026-11-23 09:00:00 UTC." in page


def test_each_quick_choice_is_a_moment_that_can_be_explained(support, acme):
    links = re.findall(r'href="(\?[^"]*)"', support.get(balance_url(acme)).text)
    assert "?at=2026-11-23T00%3A00%3A00" in links
    assert not any("2026-10" in link for link in links)
    for link in links:
        assert "could spend" in words(support.get(balance_url(acme) + link))


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        ("2026-11-25T10:00:01", "not in the future"),
        ("2026-11-19T00:00:00", "2026-11-20"),
        ("yesterday", "Write a moment like"),
        ("2026-11-23\x00", "Write a moment like"),
        ("0001-01-01T00:00:00+14:00", "2026-11-20"),
        ("9999-12-31T23:59:59-14:00", "not in the future"),
        ("2026-02-30T00:00:00", "Write a moment like"),
    ],
)
def test_a_moment_that_cannot_be_explained_is_refused_in_the_form(support, acme, at, problem):
    page = words(support.get(balance_url(acme), {"at": at}))
    assert problem in page
    assert "could spend" not in page


def test_a_purchase_behind_a_grant_is_a_link_for_who_may_see_it(support, acme, sign_in):
    purchase = paid_purchase(acme.organization, 500, now=WEDNESDAY)
    kind = Grant.Kind.TOP_UP
    ledger.grant(acme.organization, 500, kind=kind, purchase_id=purchase.pk, now=WEDNESDAY)
    link = f'href="/admin/topups/purchase/{purchase.pk}/change/"'
    assert link in support.get(balance_url(acme)).text
    other = sign_in("other")
    other.user.user_permissions.set(
        Permission.objects.filter(codename__in=("view_organization", "view_entry"))
    )
    page = other.get(balance_url(acme)).text
    assert link not in page
    assert str(purchase.pk) in page


def test_the_page_asks_the_database_as_often_however_many_grants(support, acme):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            support.get(balance_url(acme))
        return len(captured)

    few = queries()
    for number in range(10):
        ledger.adjust(
            acme.organization, 5, reason=f"Gift {number}", actor=support.user, now=WEDNESDAY
        )
    assert queries() <= few


# A spend


def test_the_page_of_a_spend_tells_its_story(support, acme):
    page = words(support.get(spend_url(acme.album)))
    for told in (
        "background.remove (Background removal)",
        "Price then 1 credit Price today 1 credit",
        "or a browser token made with it",
        "Left after 88",
        "Captured at 2026-11-24 11:05:00 UTC: 55 credits spent.",
        "Refunded 3 credits at 2026-11-24 12:00:00 UTC (Shop (ck_org_",
    ):
        assert told in page


def test_entries_lead_to_the_story_of_their_spend(support, acme):
    assert f'href="{spend_url(acme.album)}"' in support.get(balance_url(acme)).text


def test_the_pages_are_offered_where_staff_meet_the_rows(support, acme):
    organization = support.get(f"/admin/credits/organization/{acme.organization.pk}/change/")
    assert balance_url(acme) in organization.text
    spend = support.get(f"/admin/credits/spend/{acme.image.pk}/change/")
    assert spend_url(acme.image) in spend.text


# Who may


@pytest.mark.parametrize(
    ("held", "statuses"),
    [
        ((), [403, 403]),
        (("view_organization", "view_spend"), [403, 403]),
        (("view_organization", "view_entry"), [200, 403]),
        (("view_spend", "view_entry"), [403, 200]),
    ],
)
def test_the_pages_need_their_permissions(acme, sign_in, held, statuses):
    client = sign_in("somebody")
    client.user.user_permissions.set(Permission.objects.filter(codename__in=held))
    urls = [balance_url(acme), spend_url(acme.image)]
    assert [client.get(url).status_code for url in urls] == statuses


def test_customers_are_sent_to_the_sign_in(acme, client):
    for url in (balance_url(acme), spend_url(acme.image)):
        assert client.get(url).headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(
    "path",
    ["organization/0", "organization/x", "organization/%00", "spend/17", "spend/%00"],
)
def test_what_is_not_there_is_not_found(support, acme, path):
    assert support.get(f"/admin/credits/{path}/explain/").status_code == 404


# Staff keys


def make_key(client, name: str = "Dashboard", days: int = 30):
    ends_at = timezone.now() + timedelta(days=days)
    return client.post(
        f"{STAFF_KEYS}add/",
        {"name": name, "expires_at_0": f"{ends_at:%Y-%m-%d}", "expires_at_1": f"{ends_at:%H:%M}"},
    )


def test_a_staff_key_is_shown_once_and_is_its_makers_own(support):
    response = make_key(support)
    secret = response.context["secret"]
    key = StaffKey.objects.get()
    assert secret in response.text
    assert "no-store" in response["Cache-Control"]
    assert staff_keys.find_key(secret, now=timezone.now()).user == support.user
    assert secret not in support.get(f"{STAFF_KEYS}{key.pk}/change/").text
    assert LogEntry.objects.get().object_id == str(key.pk)


@pytest.mark.parametrize(("days", "problem"), [(-1, "has passed"), (370, "within 366 days")])
def test_a_staff_key_ends_within_a_year(support, days, problem):
    assert problem in make_key(support, days=days).text
    assert not StaffKey.objects.exists()


def test_its_owner_revokes_a_staff_key_after_a_question(support):
    secret = make_key(support).context["secret"]
    url = f"{STAFF_KEYS}{StaffKey.objects.get().pk}/revoke/"
    assert "Revoke Dashboard" in support.get(url).text
    assert staff_keys.find_key(secret, now=timezone.now())
    response = support.post(url, follow=True)
    assert staff_keys.find_key(secret, now=timezone.now()) is None
    assert url not in response.text
    assert LogEntry.objects.first().get_change_message() == "Revoked."


def test_others_do_not_see_a_staff_key_and_administrators_revoke_it(support, sign_in):
    make_key(support)
    key = StaffKey.objects.get()
    finance = sign_in("finance")
    assert key.prefix not in finance.get(STAFF_KEYS).text
    assert finance.post(f"{STAFF_KEYS}{key.pk}/revoke/").status_code == 404
    administrator = sign_in("administrators")
    assert key.prefix in administrator.get(STAFF_KEYS).text
    administrator.post(f"{STAFF_KEYS}{key.pk}/revoke/")
    key.refresh_from_db()
    assert key.revoked_at


def test_a_staff_key_is_neither_changed_nor_deleted(admin):
    make_key(admin)
    key = StaffKey.objects.get()
    form = {"name": "Other", "expires_at_0": "2030-01-01", "expires_at_1": "00:00"}
    assert admin.post(f"{STAFF_KEYS}{key.pk}/change/", form).status_code == 403
    assert admin.post(f"{STAFF_KEYS}{key.pk}/delete/", {"post": "yes"}).status_code == 403
    assert list(StaffKey.objects.values_list("name", "expires_at")) == [(key.name, key.expires_at)]


def test_without_its_permission_nobody_makes_a_staff_key(sign_in):
    nobody = sign_in("nobody")
    assert nobody.get(f"{STAFF_KEYS}add/").status_code == 403
    assert make_key(nobody).status_code == 403
    assert not StaffKey.objects.exists()
