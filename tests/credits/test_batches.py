"""Many spends in one call, each made or refused on its own."""

from credits.models import Organization
from tests.credits.support import assert_problem, assert_untouched

ALT = {"action": "alt-text.generate"}


def test_each_item_is_answered_in_order(api, organization):
    spends = [
        {**ALT, "quantity": 30, "reference": "a"},
        {**ALT, "quantity": 30},
        {"action": "no.such"},
        {**ALT, "quantity": 0},
        "spend",
        {**ALT, "quantity": 20, "idempotency_key": "k"},
        {**ALT, "quantity": 20, "idempotency_key": "k"},
        {**ALT, "quantity": 19, "idempotency_key": "k"},
        ALT,
    ]
    response = api.post("spends/batch", {"spends": spends})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [result["status"] for result in results] == [
        201, 402, 400, 400, 400, 201, 201, 422, 402
    ]  # fmt: skip
    assert results[0]["spend"]["reference"] == "a"
    assert [results[5]["replayed"], results[6]["replayed"]] == [False, True]
    assert results[5]["spend"] == results[6]["spend"]
    assert results[1]["problem"]["required"] == 30
    assert results[3]["problem"]["errors"][0]["field"] == "quantity"
    assert organization.wallet.entry_seq == 3


def test_a_service_key_spends_for_many_organizations_at_once(service_api, organization):
    others = [Organization.objects.create(name=f"Other {n}") for n in range(3)]
    names = [other.public_id for other in (*others, organization)]
    spends = [{"action": "background.remove", "organization": name} for name in names * 2]
    results = service_api.post("spends/batch", {"spends": spends}).json()["results"]
    assert [result["spend"]["organization"] for result in results] == names * 2


def test_a_batch_of_a_thousand(api, organization):
    results = api.post("spends/batch", {"spends": [ALT] * 1_000}).json()["results"]
    assert [result["status"] for result in results] == [201] * 50 + [402] * 950


def test_a_batch_that_is_too_long_or_none_is_refused(api, organization):
    for spends in ([], [ALT] * 1_001, "spends", None, {"action": "x"}):
        response = api.post("spends/batch", {"spends": spends})
        assert_problem(response, 400, "invalid_request")
    assert_problem(api.post("spends/batch", [ALT]), 400, "invalid_request")
    assert_untouched(organization)


def test_a_header_key_is_refused_as_each_item_has_its_own(api, organization):
    body = assert_problem(
        api.post("spends/batch", {"spends": [ALT]}, key="batch-1"), 400, "invalid_request"
    )
    assert body["errors"][0]["field"] == "Idempotency-Key"
    assert_untouched(organization)


def test_a_service_key_s_batch_asks_for_its_organizations_at_once(
    service_api, organization, django_assert_num_queries
):
    others = [Organization.objects.create(name=f"Other {n}") for n in range(9)]
    spends = [
        {"action": "background.remove", "organization": other.public_id}
        for other in (*others, organization)
    ]
    service_api.post("spends/batch", {"spends": spends})
    with django_assert_num_queries(3):
        results = service_api.post("spends/batch", {"spends": spends}).json()["results"]
    assert [result["status"] for result in results] == [201] * 10
    nobody = {"action": "background.remove", "organization": "org_nobody"}
    results = service_api.post("spends/batch", {"spends": [nobody, *spends]}).json()["results"]
    assert [result["status"] for result in results] == [400] + [201] * 10
