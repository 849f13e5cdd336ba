"""Many spends in one call, each made or refused on its own."""

from credits.access import create_key
from credits.models import Action, Organization
from tests.credits.support import Api, assert_problem, assert_untouched

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


def test_each_kind_of_error_is_at_its_place_between_spends(service_api, organization):
    public_id = organization.public_id
    good = {"action": "background.remove", "organization": public_id}
    spends = [
        good,
        {**good, "organization": None},
        {**good, "organization": "org_nobody"},
        {"action": "background.remove"},
        {**good, "action": "alt-text.generate"},
        {**good, "action": "no.such"},
        {**good, "action": " background.remove "},
        {**good, "quantity": 1.0},
        {**good, "quantity": True},
        {**good, "quantity": "1"},
        {**good, "reference": "a\0b"},
        {**good, "reference": " "},
        {**good, "idempotency_key": ""},
        {**good, "idempotency_key": "é"},
        {**good, "extra": 1},
        {**good, "quantity": 1_000},
        None,
        good,
    ]
    results = service_api.post("spends/batch", {"spends": spends}).json()["results"]
    alone = [service_api.post("spends", spend) for spend in spends]
    # An item knows one field more, and says so.
    assert results[12]["problem"]["errors"][0]["field"] == "idempotency_key"
    assert results[13]["problem"]["errors"][0]["field"] == "idempotency_key"
    assert results[14]["problem"]["errors"][0]["field"] == "extra"
    for index in (*range(12), 15, 17):
        if alone[index].status_code == 201:
            assert shape(results[index]["spend"]) == shape(alone[index].json())
        else:
            problem = alone[index].json()
            assert results[index] == {"status": problem["status"], "problem": problem}
    assert results[16]["problem"]["detail"] == "body: Send a JSON object."
    made = [index for index, result in enumerate(results) if result["status"] == 201]
    assert made == [0, 6, 7, 11, 17]


def shape(spend: dict[str, object]) -> dict[str, object]:
    """What two spends of the same kind have in common."""
    return {**spend, "id": "", "created_at": ""}


def test_other_organizations_and_actions_are_refused_one_by_one(organization):
    other = Organization.objects.create(name="Other")
    _, secret = create_key(
        name="Narrow",
        organization=organization,
        allowed_actions=Action.objects.filter(code="alt-text.generate"),
    )
    spends = [
        {**ALT, "organization": other.public_id},
        {"action": "background.remove"},
        {**ALT, "organization": organization.public_id},
        {"action": "no.such"},
    ]
    results = Api(secret).post("spends/batch", {"spends": spends}).json()["results"]
    problems = [result.get("problem", {}).get("code") for result in results]
    assert problems == ["forbidden", "forbidden", None, "invalid_request"]
    assert "another organization" in results[0]["problem"]["detail"]
    assert "background.remove" in results[1]["problem"]["detail"]


def test_actions_of_others_are_asked_for_at_once(service_api, django_assert_num_queries):
    spends = [{"action": f"no.such-{number}"} for number in range(20)]
    service_api.post("spends/batch", {"spends": spends})
    with django_assert_num_queries(3):
        service_api.post("spends/batch", {"spends": spends})


def test_the_balance_is_in_a_batch_where_it_is_shown(api, organization):
    organization.show_balance = True
    organization.save()
    results = api.post("spends/batch", {"spends": [ALT] * 2}).json()["results"]
    assert [result["spend"]["balance"] for result in results] == [49, 48]
