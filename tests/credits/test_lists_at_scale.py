"""Every list of the admin on the benchmarks' data set, in a size that fits a test."""

import json
from datetime import UTC, datetime

import pytest
from django.contrib import admin as django_admin
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from credits.ledger import audit
from credits.models import Entry, Organization, Spend, User
from tests.benchmarks import dataset, measuring, pages

UNTIL = datetime(2026, 11, 25, 12, tzinfo=UTC)
SIZE = dataset.Size(organizations=12_000, spends=12_000, purchases=1_200)
MODELS = sorted(django_admin.site._registry, key=lambda model: model._meta.label)

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("dataset")]


@pytest.fixture(scope="module", autouse=True)
def data(django_db_setup, django_db_blocker):
    """The data set, made once for these tests and gone after them."""
    with django_db_blocker.unblock(), transaction.atomic():
        dataset.build(SIZE, until=UNTIL)
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def then(set_clock) -> None:
    set_clock(UNTIL)


@pytest.fixture
def staff_client():
    return pages.superuser()


def test_the_data_set_is_sound():
    assert list(audit.findings()) == []
    assert Organization.objects.count() == SIZE.organizations
    assert Spend.objects.count() > SIZE.spends * 0.9
    assert Entry.objects.filter(organization=pages.HOT).count() > SIZE.spends / 10
    for status in Spend.Status.values:
        assert Spend.objects.filter(status=status).exists(), status


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_no_list_asks_once_per_row(staff_client, model, monkeypatch):
    model_admin = django_admin.site._registry[model]
    url = pages.list_url(model)
    staff_client.get(url)  # The first time fills caches.
    counts = []
    for rows in (2, 50):
        monkeypatch.setattr(model_admin, "list_per_page", rows)
        with CaptureQueriesContext(connection) as queries:
            assert staff_client.get(url).status_code in (200, 302)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 15


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_every_list_opens_filtered_sorted_and_searched(staff_client, model, monkeypatch):
    monkeypatch.setattr(django_admin.site._registry[model], "list_per_page", 3)
    monkeypatch.setattr(pages, "words", lambda: ["studio", "nobody@nowhere.example", "%_'\\", "…"])
    statuses = {page.url: staff_client.get(page.url).status_code for page in pages.lists_of(model)}
    assert {url: status for url, status in statuses.items() if status not in (200, 302)} == {}


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (Entry, ""),
        (Entry, "p=2"),
        (Entry, "kind__exact=adjust"),
        (Entry, "kind__exact=refund"),
        (Entry, "organization__id__exact=1"),
        (Entry, "organization__id__exact=777"),
        (Entry, "created_at_from=2026-07-01&created_at_to=2026-07-01"),
        (Entry, "created_at_from=2026-07-01"),
        (Entry, "q=metropolis"),
        (Entry, "q=zzzz"),
        (Spend, ""),
        (Spend, "status__exact=held"),
        (Spend, "status__exact=expired"),
        (Spend, "organization__id__exact=1"),
        (Spend, "created_at_from=2026-07-01&created_at_to=2026-07-01"),
        (Spend, "q=metropolis"),
        (Organization, ""),
        (Organization, "q=metropolis"),
        (Organization, "suspended=yes"),
        (User, "q=staff2"),
        (User, "is_superuser__exact=1"),
    ],
)
def test_no_list_reads_its_whole_table(staff_client, model, query, monkeypatch):
    """Counted in blocks that PostgreSQL touches, since no clock tells it on a small table."""
    with connection.cursor() as cursor:
        # As on a table so large that no plan but an index would do.
        cursor.execute("SET LOCAL random_page_cost = 1.1")
    monkeypatch.setattr(django_admin.site._registry[model], "list_per_page", 5)
    for module in ("base", "newest"):
        monkeypatch.setattr(f"credits.admin.{module}.COUNTED_ROWS", 100)
    with measuring.recording() as queries:
        assert staff_client.get(f"{pages.list_url(model)}?{query}").status_code == 200
    # What is read of each row shown is bounded by the page; these look for the rows.
    worst = max((query for query in queries if "LIMIT" in query.sql), key=_blocks)
    assert _blocks(worst) < _blocks_of(model._meta.db_table) / 2, worst.sql


def _blocks(query: measuring.Query) -> int:
    """How many blocks are touched when a query runs again."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query.sql}", query.parameters)
        [(plan,)] = cursor
    root = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
    return root["Shared Hit Blocks"] + root["Shared Read Blocks"]


def _blocks_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s) / 8192", [table])
        return cursor.fetchone()[0]


JULY = {"created_at_from": "2026-07-01", "created_at_to": "2026-07-31"}
A_DAY = {"created_at_from": "2026-07-01", "created_at_to": "2026-07-01"}
OF_HOT = {"organization__id__exact": pages.HOT}


@pytest.mark.parametrize("counted", [100, 10_000])
@pytest.mark.parametrize("kind", [{}, {"kind__exact": "refund"}, {"kind__exact": "spend"}])
@pytest.mark.parametrize("days", [{}, JULY, A_DAY, {"created_at_to": "2026-07-01"}])
@pytest.mark.parametrize("organization", [{}, OF_HOT])
def test_a_list_begins_with_the_newest_of_what_was_asked_for(
    staff_client, monkeypatch, organization, days, kind, counted
):
    for module in ("base", "newest"):
        monkeypatch.setattr(f"credits.admin.{module}.COUNTED_ROWS", counted)
    monkeypatch.setattr(django_admin.site._registry[Entry], "list_per_page", 20)
    asked = {
        "created_at__date__gte": days.get("created_at_from"),
        "created_at__date__lte": days.get("created_at_to"),
        "kind": kind.get("kind__exact"),
        "organization": organization.get("organization__id__exact"),
    }
    right = Entry.objects.filter(**{name: value for name, value in asked.items() if value})
    changelist = staff_client.get(pages.list_url(Entry), {**organization, **days, **kind}).context[
        "cl"
    ]
    shown = [entry.created_at for entry in changelist.result_list]
    newest = right.order_by("-created_at").values_list("created_at", flat=True)
    assert shown == list(newest[:20])
    assert changelist.result_count == min(right.count(), counted)


@pytest.mark.parametrize("order", ["1", "-3", "4.-5"])
def test_an_address_cannot_sort_by_what_the_list_does_not_offer(staff_client, order):
    with measuring.recording() as queries:
        staff_client.get(pages.list_url(Entry), {"o": order})
    keys = 'SELECT "credits_entry"."id" AS "pk" FROM "credits_entry" ORDER BY 1 DESC LIMIT'
    assert [query.sql for query in queries if query.sql.startswith(keys)]


def test_a_search_that_means_too_many_organizations_says_so(staff_client):
    cut_short = "or the rows of 100 of them, are listed"
    assert cut_short in staff_client.get(f"{pages.list_url(Entry)}?q=studio").content.decode()
    assert (
        cut_short not in staff_client.get(f"{pages.list_url(Entry)}?q=metropolis").content.decode()
    )


def test_a_query_that_takes_too_long_is_given_up_with_advice(staff_client, monkeypatch):
    monkeypatch.setattr("credits.admin.base.LIST_MILLISECONDS", 1)
    page = staff_client.get("/admin/credits/user/", {"q": "e"})
    assert page.status_code == 503
    assert "choose an organization, fewer days" in page.content.decode()
    monkeypatch.undo()
    assert User.objects.count() > SIZE.organizations


@pytest.mark.parametrize("large", [Organization, User], ids=lambda model: model._meta.model_name)
def test_no_form_or_filter_loads_a_large_table(staff_client, large):
    """Each page of a list and each form has fewer choices than there are organizations or users."""
    for model in MODELS:
        for url in (pages.list_url(model), f"{pages.list_url(model)}add/"):
            page = staff_client.get(url, follow=True)
            assert page.content.count(b"<option") < 1_000, url
