"""The ledger in the admin: whoever tries, it is read and never written."""

import pytest
from django.apps import apps
from django.utils import timezone

from credits import ledger
from credits.models import Entry, Grant, Membership, Spend
from tests.credits.support import query_count

pytestmark = pytest.mark.django_db

LEDGER = ("grant", "spend", "refund", "entry", "wallet")


@pytest.fixture
def history(organization, admin):
    """One row at least in each table of the ledger."""
    now = timezone.now()
    ledger.adjust(organization, 100, reason="Gift", actor=admin.user, now=now)
    made = ledger.spend(
        organization,
        "alt-text.generate",
        quantity=60,
        reference="asset-9",
        idempotency_key="k1",
        now=now,
    )
    ledger.refund(Spend.objects.get(pk=made.id), credits=5, now=now)
    return organization


def rows(model: str):
    return list(apps.get_model("credits", model).objects.order_by("pk").values())


def first(model: str):
    return apps.get_model("credits", model).objects.order_by("pk").first().pk


@pytest.mark.parametrize("model", LEDGER)
def test_a_superuser_reads_it_and_changes_nothing(admin, history, model):
    before, url = rows(model), f"/admin/credits/{model}/"
    assert admin.get(url).status_code == 200
    assert admin.get(f"{url}{first(model)}/change/").status_code == 200
    forbidden = [
        admin.post(f"{url}add/", {}),
        admin.post(f"{url}{first(model)}/change/", {"credits": "1", "remaining": "1"}),
        admin.post(f"{url}{first(model)}/delete/", {"post": "yes"}),
        admin.get(f"{url}add/"),
        admin.get(f"{url}{first(model)}/delete/"),
    ]
    assert {response.status_code for response in forbidden} == {403}
    bulk = {"action": "delete_selected", "_selected_action": [first(model)], "post": "yes"}
    admin.post(url, bulk)
    assert rows(model) == before
    assert before


@pytest.mark.parametrize(
    ("model", "query", "count"),
    [
        ("spend", "Acme", 1),
        ("spend", "acm", 1),
        ("spend", "cme", 0),
        ("spend", "acme nothing", 0),
        ("spend", "nothing", 0),
        ("spend", "{member}", 1),
        ("entry", "{spend}", 3),
        ("entry", "{public_id}", 5),
        ("grant", "{public_id}", 2),
        ("refund", "{spend}", 1),
        ("wallet", "{public_id}", 1),
    ],
)
def test_the_ledger_is_searched_by_organization_and_spend(admin, history, model, query, count):
    Membership.objects.create(organization=history, user=admin.user)
    known = {"member": admin.user.email, "spend": Spend.objects.get().pk}
    query = query.format(public_id=history.public_id, **known)
    found = admin.get(f"/admin/credits/{model}/", {"q": query})
    assert found.context["cl"].result_count == count


def test_a_list_over_all_organizations_says_where_references_are_searched(admin, history):
    page = admin.get("/admin/credits/spend/", {"q": "asset-9"})
    assert page.context["cl"].result_count == 0
    assert (
        "References and idempotency keys are searched on an organization" in page.content.decode()
    )


def test_a_row_is_found_by_its_id(admin, history):
    spend = Spend.objects.get()
    found = admin.get("/admin/credits/spend/", {"q": str(spend.pk)})
    assert list(found.context["cl"].result_list) == [spend]


@pytest.mark.parametrize(
    ("model", "query", "count"),
    [
        ("entry", {"kind__exact": "refund"}, 1),
        ("entry", {"organization__id__exact": "{organization}"}, 5),
        ("grant", {"kind__exact": "weekly"}, 1),
        ("spend", {"status__exact": "held"}, 0),
        ("spend", {"created_at_from": "{day}", "created_at_to": "{day}"}, 1),
        ("spend", {"created_at_from": "2001-01-01"}, 1),
        ("spend", {"created_at_to": "2001-01-01"}, 0),
        ("spend", {"created_at_from": "2001-01-01", "created_at_to": "9999-12-31"}, 1),
    ],
)
def test_the_ledger_is_filtered_by_kind_status_organization_and_time(
    admin, history, model, query, count
):
    known = {"organization": history.pk, "day": Spend.objects.get().created_at.date()}
    query = {name: value.format(**known) for name, value in query.items()}
    found = admin.get(f"/admin/credits/{model}/", query)
    assert found.context["cl"].result_count == count


@pytest.mark.parametrize(
    "query",
    [
        {"q": "\x00"},
        {"q": "'\"%_\\"},
        {"p": "999"},
        {"o": "77.-99"},
        {"created_at_from": "yesterday"},
        {"organization__id__exact": "Acme"},
        {"kind__exact": "nonsense"},
        {"unknown": "1"},
    ],
)
def test_a_list_asked_for_nonsense_still_answers(admin, history, query):
    assert admin.get("/admin/credits/entry/", query, follow=True).status_code == 200


@pytest.mark.parametrize("model", LEDGER)
def test_no_list_of_the_ledger_asks_once_per_row(admin, history, model):
    for_few = query_count(admin, f"/admin/credits/{model}/")
    for n in range(20):
        made = ledger.spend(history, "alt-text.generate", reference=f"{n}", now=timezone.now())
        ledger.refund(Spend.objects.get(pk=made.id), now=timezone.now())
        ledger.adjust(history, 1, reason="More", actor=admin.user, now=timezone.now())
    assert query_count(admin, f"/admin/credits/{model}/") == for_few


def test_lists_count_no_further_than_their_limit(admin, history, monkeypatch):
    monkeypatch.setattr("credits.admin.base.COUNTED_ROWS", 2)
    assert Entry.objects.count() > 2
    page = admin.get("/admin/credits/entry/")
    assert page.context["cl"].result_count == 2
    assert "and more: search or filter to find them" in page.content.decode()
    assert Grant.objects.count() == 2
