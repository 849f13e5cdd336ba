"""Spends and entries on their tab of an organization's page: whatever is known of one finds it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from credits import ledger, movements
from credits.access import create_key
from credits.models import Entry, Organization, Spend
from tests.credits.support import MONDAY

pytestmark = pytest.mark.django_db

ACTION = "alt-text.generate"
HOUR = timedelta(hours=1)


def url(organization: Organization) -> str:
    return f"/admin/credits/organization/{organization.pk}/activity/"


def show(client, organization: Organization, **query: object):
    response = client.get(url(organization), query)
    assert response.status_code == 200
    return response


def spend(organization: Organization, quantity: int = 1, now=MONDAY, **fields) -> Spend:
    made = ledger.spend(organization, ACTION, quantity=quantity, now=now, **fields)
    return Spend.objects.get(pk=made.id)


@pytest.fixture
def history(organization, staff):
    """Spends with two keys, a hold, and entries of staff, an hour apart."""
    shop, _ = create_key(name="Shop", organization=organization)
    cms, _ = create_key(name="CMS", organization=organization)
    ledger.adjust(organization, 500, reason="Gift", actor=staff, now=MONDAY)
    for hour in range(1, 7):
        spend(
            organization,
            hour,
            now=MONDAY + hour * HOUR,
            reference=f"asset-{hour}",
            idempotency_key=f"key-{hour}",
            api_key=shop if hour < 4 else cms,
        )
    fields = {"quantity": 2, "reference": "cut-1", "now": MONDAY + 7 * HOUR}
    ledger.hold(organization, "background.remove", **fields)
    return organization


def references(page) -> list[str]:
    return [row.reference for row in page.context["found"].rows]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["cut-1", "asset-6", "asset-5", "asset-4", "asset-3", "asset-2", "asset-1"]),
        ({"reference": "asset-5"}, ["asset-5"]),
        ({"reference": "asset", "api_key": "sho"}, ["asset-1", "asset-2", "asset-3"]),
        ({"action": "BACKGROUND"}, ["cut-1"]),
        ({"action": "nothing-like-it"}, []),
        ({"api_key": "shop"}, ["asset-3", "asset-2", "asset-1"]),
        ({"idempotency_key": "key-2"}, ["asset-2"]),
        ({"idempotency_key": "key"}, []),
        ({"idempotency_key": "key-2", "reference": "asset-3"}, []),
        ({"state": "held"}, ["cut-1"]),
        ({"start": "2026-11-23T02:00", "end": "2026-11-23T04:00"}, ["asset-3", "asset-2"]),
        ({"reference": "asset", "start": "2026-11-23T06:00"}, ["asset-6"]),
    ],
)
def test_spends_are_found_by_what_is_known_of_them(admin, history, query, found):
    assert references(show(admin, history, **query)) == found


@pytest.mark.parametrize(
    ("query", "credits"),
    [
        ({"state": "grant"}, [500, 50]),
        ({"reference": "asset-4"}, [-4]),
        ({"idempotency_key": "key-2"}, [-2]),
        ({"action": "background"}, [-2]),
        ({"api_key": "CMS"}, [-6, -5, -4]),
        ({"start": "2026-11-23T03:00", "end": "2026-11-23T05:00"}, [-4, -3]),
        ({"start": "2026-11-23T07:00"}, [-2]),
        ({"end": "2026-11-23T00:00"}, []),
        ({"reference": "asset", "end": "2026-11-23T03:00"}, [-2, -1]),
        ({"state": "spend", "start": "2026-11-23T06:00"}, [-6]),
    ],
)
def test_entries_are_found_by_what_is_known_of_them(admin, history, query, credits):
    page = show(admin, history, list="entries", **query)
    assert [row.credits for row in page.context["found"].rows] == credits


@pytest.mark.parametrize("chosen", ["spends", "entries"])
def test_pages_are_turned_to_the_end_without_a_row_lost_or_shown_twice(
    admin, history, monkeypatch, chosen
):
    monkeypatch.setattr(movements, "ROWS_PER_PAGE", 2)
    seen, after = [], ""
    while after is not None:
        found = show(admin, history, list=chosen, after=after).context["found"]
        seen += [row.pk for row in found.rows]
        after = found.after
    rows = history.spends if chosen == "spends" else history.entries
    assert sorted(seen) == sorted(rows.values_list("pk", flat=True))
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"api_key": "shop"}, ["asset-3", "asset-2", "asset-1"]),
        ({"reference": "asset", "api_key": "cms"}, ["asset-4", "asset-5", "asset-6"]),
        ({"list": "entries", "api_key": "shop"}, ["asset-3", "asset-2", "asset-1"]),
    ],
)
def test_a_search_looks_at_so_many_rows_and_goes_on_where_it_stopped(
    admin, history, monkeypatch, query, found
):
    monkeypatch.setattr(movements, "SCANNED_ROWS", 3)
    seen, after, cuts = [], "", 0
    while after is not None:
        page = show(admin, history, after=after, **query)
        rows = page.context["found"].rows
        seen += [(row.spend if isinstance(row, Entry) else row).reference for row in rows]
        after, was_cut = page.context["found"].after, page.context["found"].is_cut
        assert ("Search further back" in page.text) == was_cut
        cuts += was_cut
    assert seen == found
    assert cuts


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"start": "soon"}, "Enter a valid date/time"),
        ({"reference": "x\0"}, "Null characters are not allowed"),
        ({"state": "lost"}, "Select a valid choice"),
        ({"start": "2026-11-23T02:00", "end": "2026-11-23T01:00"}, "a moment after the first"),
        ({"reference": "x" * 256}, "at most 255 characters"),
    ],
)
def test_what_cannot_be_searched_is_said_and_nothing_is_listed(admin, history, query, told):
    page = show(admin, history, **query)
    assert told in page.text
    assert page.context["found"].rows == []


@pytest.mark.parametrize(
    "query",
    [
        {"list": "wallets"},
        {"after": "x"},
        {"after": str(uuid4())},
        {"list": "entries", "after": "x"},
        {"list": "entries", "after": "9" * 30},
    ],
)
def test_a_page_that_cannot_be_is_not_found(admin, history, query):
    assert admin.get(url(history), query).status_code == 404


def test_rows_of_another_organization_are_never_shown(admin, history):
    other = Organization.objects.create(name="Zenith", weekly_credits=50)
    theirs = spend(other, reference="asset-theirs", idempotency_key="key-9")
    for query in ({}, {"reference": "asset-t"}, {"idempotency_key": "key-9"}, {"list": "entries"}):
        assert "asset-theirs" not in show(admin, history, **query).text.replace(
            'value="asset-t', ""
        )
    assert admin.get(url(history), {"after": str(theirs.pk)}).status_code == 404


def test_the_list_asks_as_often_for_many_spends_as_for_few(
    admin, organization, django_assert_max_num_queries
):
    for number in range(30):
        spend(organization, reference=f"asset-{number}")
    for chosen in ("spends", "entries"):
        with django_assert_max_num_queries(12):
            show(admin, organization, list=chosen)
