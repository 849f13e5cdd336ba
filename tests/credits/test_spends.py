"""Spending over the API: what a spend answers, and everything it refuses."""

from datetime import timedelta

import pytest
from django.utils import timezone

from credits import ledger
from credits.models import Action, Grant, Organization, Service, Spend, Wording
from tests.credits.support import MONDAY, assert_problem, assert_untouched, entries


def test_a_spend_takes_the_free_bundle_first_and_says_what_it_drew(api, organization):
    response = api.spend(quantity=3, reference="image-1")
    assert response.status_code == 201
    body = response.json()
    grant = organization.grants.get()
    assert body == {
        "id": body["id"],
        "organization": organization.public_id,
        "action": "alt-text.generate",
        "quantity": 3,
        "credits": 3,
        "status": "spent",
        "reference": "image-1",
        "drawn": [{"grant": str(grant.id), "kind": "weekly", "credits": 3}],
        "created_at": body["created_at"],
    }
    assert grant.remaining == 47
    assert entries(organization) == [(1, "grant", 50), (2, "spend", -3)]


def test_grants_are_spent_lowest_priority_first_then_soonest_expiry_then_oldest(
    api, organization, staff
):
    now = timezone.now()
    ledger.adjust(organization, 5, reason="never expires", actor=staff, now=now)
    ledger.adjust(
        organization, 5, reason="later", actor=staff, now=now, expires_at=now + timedelta(days=9)
    )
    ledger.adjust(
        organization, 5, reason="soon", actor=staff, now=now, expires_at=now + timedelta(days=8)
    )
    drawn = api.spend(quantity=62).json()["drawn"]
    grants = Grant.objects.in_bulk([part["grant"] for part in drawn], field_name="id")
    order = [
        (grant.kind, grant.entries.get(kind="grant").reason, part["credits"])
        for part in drawn
        for key, grant in grants.items()
        if str(key) == part["grant"]
    ]
    assert order == [
        ("weekly", "", 50),
        ("staff", "soon", 5),
        ("staff", "later", 5),
        ("staff", "never expires", 2),
    ]


def test_a_price_change_counts_from_the_next_spend_and_rewrites_nothing(api):
    first = api.spend().json()
    Action.objects.filter(code="alt-text.generate").update(credits=7)
    assert api.spend(quantity=2).json()["credits"] == 14
    assert Spend.objects.get(pk=first["id"]).credits == 1


def test_a_repeated_key_gives_the_first_answer_and_spends_once(api, organization):
    first = api.spend(quantity=2, key="order-1")
    api.spend(quantity=1)
    again = api.spend(quantity=2, key="order-1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert organization.spends.count() == 2


@pytest.mark.parametrize(
    "other",
    [
        {"action": "rich-text.generate"},
        {"quantity": 2},
        {"reference": "another"},
    ],
)
def test_a_key_used_for_another_request_is_refused(api, organization, other):
    assert api.spend(key="order-1").status_code == 201
    response = api.spend(**{"key": "order-1", **other})
    assert_problem(response, 422, "idempotency_conflict")
    assert organization.spends.count() == 1


def test_a_hold_does_not_answer_for_a_spend_of_the_same_key(api):
    assert api.spend(key="order-1").status_code == 201
    response = api.post("holds", {"action": "alt-text.generate"}, key="order-1")
    assert_problem(response, 422, "idempotency_conflict")


def test_out_of_credits_says_when_free_ones_come_and_where_to_buy(
    api, organization, set_clock, settings
):
    settings.BASE_URL = "https://credits.example"
    set_clock(MONDAY + timedelta(days=2))
    assert api.spend(quantity=50).status_code == 201
    response = api.spend(key="order-1")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.status_code == 402
    assert response.json() == {
        "type": "https://credits.example/problems/out-of-credits/",
        "title": "Out of credits",
        "status": 402,
        "code": "out_of_credits",
        "detail": "You've used all your Amplience credits. Top up to go on right away; everything "
        "else keeps working. Your next 50 free credits come on Monday, November 30 at 00:00 UTC.",
        "required": 1,
        "next_refill": {"at": "2026-11-30T00:00:00Z", "credits": 50},
        "top_up_url": "https://credits.example/top-up/",
    }
    assert organization.spends.count() == 1


def test_a_denied_key_works_after_a_top_up(api, organization, staff):
    assert api.spend(quantity=51, key="order-1").status_code == 402
    assert entries(organization) == []
    ledger.adjust(organization, 1, reason="help", actor=staff, now=timezone.now())
    assert api.spend(quantity=51, key="order-1").status_code == 201


def test_staff_choose_the_words_of_the_message(api):
    Wording.objects.update(credits_name="Sparks", out_of_credits_message="No {credits_name} left.")
    api.spend(quantity=50)
    assert api.spend().json()["detail"].startswith("No Sparks left. Your next 50 free")


def test_without_a_weekly_bundle_no_free_credits_are_promised(api, organization):
    Organization.objects.update(weekly_credits=0)
    body = api.spend().json()
    assert body["next_refill"] is None
    assert "free" not in body["detail"]


def test_the_balance_shows_only_where_staff_let_it(api, organization):
    assert "balance" not in api.spend().json()
    assert "available" not in api.spend(quantity=100).json()
    Organization.objects.update(show_balance=True)
    assert api.spend().json()["balance"] == 48
    assert api.spend(quantity=100).json()["available"] == 48


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"action": "no.such"}, "action"),
        ({"action": ""}, "action"),
        ({"action": None}, "action"),
        ({"action": "a" * 101}, "action"),
        ({"action": "alt-text.generate\x00"}, "action"),
        ({"action": "\ud800"}, "action"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 2_000_000_000}, "quantity"),
        ({"quantity": "one"}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": [1]}, "quantity"),
        ({"reference": "r" * 256}, "reference"),
        ({"reference": {"a": 1}}, "reference"),
        ({"quantitty": 2}, "quantitty"),
        ({"\ud800": 2}, "\\ud800"),
    ],
)
def test_a_wrong_field_is_named_and_changes_nothing(api, organization, fields, field):
    response = api.post("spends", {"action": "alt-text.generate", **fields})
    body = assert_problem(response, 400, "invalid_request")
    assert [error["field"] for error in body["errors"]] == [field]
    assert body["detail"]
    assert_untouched(organization)


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '"spend"', "null", "[" * 100_000, '{"quantity": ' + "9" * 5000 + "}"]
)
def test_a_body_that_is_no_json_object_is_refused(api, organization, body):
    problem = assert_problem(api.post("spends", body), 400, "invalid_request")
    if body in ("[]", '"spend"', "null"):
        assert problem["detail"] == "body: Send a JSON object."
    assert_untouched(organization)


def test_the_sentence_names_the_unknown_field_and_those_there_are(api):
    body = api.post("spends", {"action": "alt-text.generate", "quantitty": 2}).json()
    assert body["detail"] == (
        "quantitty: Unknown field; known are action, quantity, organization, reference."
    )


@pytest.mark.parametrize("path", ["spends", "spends/{id}/refund", "holds/{hold}/capture"])
def test_a_body_without_a_length_is_refused_and_never_taken_for_empty(api, path):
    spent = api.spend(quantity=3).json()
    held = api.post("holds", {"action": "alt-text.generate", "quantity": 3}).json()
    path = path.format(id=spent["id"], hold=held["id"])
    response = api.client.post(
        f"/api/v1/{path}",
        content_type="application/json",
        headers={**api.headers, "Transfer-Encoding": "chunked"},
    )
    assert_problem(response, 411, "length_required")
    assert list(Spend.objects.order_by("id").values_list("status", "refunded_credits")) == [
        ("spent", 0),
        ("held", 0),
    ]


def test_a_host_that_is_not_ours_is_refused_with_a_problem_document(api):
    response = api.client.post("/api/v1/spends", headers={**api.headers, "Host": "evil.example"})
    assert_problem(response, 400, "invalid_request")


def test_the_schema_answers_whatever_is_accepted(client, db):
    for accept in ("*/*", "application/json", "text/html"):
        schema = client.get("/api/schema/", headers={"Accept": accept})
        assert (schema.status_code, schema.json()["info"]["title"]) == (200, "Credits API")
        docs = client.get("/api/docs/", headers={"Accept": accept})
        assert (docs.status_code, docs.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_a_body_of_another_type_is_refused(api):
    response = api.client.post("/api/v1/spends", {"action": "x"}, headers=api.headers)
    assert_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("size", [1_000_001, 3_000_000])
def test_a_huge_body_is_refused(api, size):
    assert_problem(api.spend(reference="r" * size), 413, "payload_too_large")


@pytest.mark.parametrize("key", ["", "k" * 256, "k\x7f", "ключ"])
def test_a_bad_idempotency_key_is_refused(api, organization, key):
    body = assert_problem(api.spend(key=key), 400, "invalid_request")
    assert body["errors"][0]["field"] == "Idempotency-Key"
    assert_untouched(organization)


@pytest.mark.parametrize("path", ["spends", "holds", "spends/batch"])
def test_another_method_is_refused(api, path):
    response = api.get(path)
    assert_problem(response, 405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("path", ["spends/", "nothing", "spends/17/refund"])
def test_an_unknown_address_is_a_problem_document(api, path):
    assert_problem(api.post(path), 404, "not_found")


def test_a_suspended_organization_cannot_spend_and_loses_nothing(api, organization):
    spent = api.spend(key="order-1").json()
    Organization.objects.update(suspended_at=timezone.now())
    assert_problem(api.spend(), 403, "forbidden")
    assert_problem(api.post("holds", {"action": "alt-text.generate"}), 403, "forbidden")
    assert api.spend(key="order-1").json() == spent
    assert api.post(f"spends/{spent['id']}/refund").status_code == 200
    assert ledger.balance(organization, now=timezone.now()).total == 50


def test_the_price_list(api):
    Action.objects.create(
        service=Service.objects.first(), code="old.one", name="Old", is_active=False
    )
    assert api.get("actions").json() == {
        "actions": [
            {
                "code": "shoppable-images.detect",
                "service": "Automatic shoppable images",
                "name": "Detect products",
                "credits": 1,
            },
            {
                "code": "background.remove",
                "service": "Background removal",
                "name": "Remove a background",
                "credits": 1,
            },
            {
                "code": "rich-text.generate",
                "service": "Generative rich text",
                "name": "Generate text",
                "credits": 1,
            },
            {
                "code": "alt-text.generate",
                "service": "Image alt text",
                "name": "Generate alt text",
                "credits": 1,
            },
        ]
    }
    assert_problem(api.spend("old.one"), 400, "invalid_request")
