"""Balance and usage are shown only where staff let them be."""

from datetime import timedelta

import pytest

from credits.models import Organization
from tests.credits.support import MONDAY, assert_problem

NOON = MONDAY + timedelta(hours=12)


@pytest.fixture
def visible(organization, set_clock):
    set_clock(NOON)
    Organization.objects.update(show_balance=True, created_at=MONDAY)


@pytest.mark.parametrize("path", ["balance", "usage"])
def test_hidden_by_default(api, service_api, organization, path):
    assert_problem(api.get(path), 403, "forbidden")
    response = service_api.get(path, organization=organization.public_id)
    assert_problem(response, 403, "forbidden")


def test_balance_now_and_before(api, organization, visible, set_clock):
    api.spend(quantity=5)
    set_clock(NOON + timedelta(hours=1))
    assert api.get("balance").json() == {
        "organization": organization.public_id,
        "at": "2026-11-23T13:00:00Z",
        "balance": 45,
        "by_kind": {"weekly": 45, "top_up": 0, "staff": 0},
        "next_refill": {"at": "2026-11-30T00:00:00Z", "credits": 50},
    }
    body = api.get("balance", at="2026-11-23T11:00:00Z").json()
    assert (body["at"], body["balance"]) == ("2026-11-23T11:00:00Z", 50)
    for at in ("tomorrow", "2026-12-01T00:00:00Z"):
        assert_problem(api.get("balance", at=at), 400, "invalid_request")


def test_usage_by_action_service_and_day_without_what_was_given_back(
    api, organization, visible, set_clock
):
    api.spend(quantity=5)
    hold = api.post("holds", {"action": "background.remove", "quantity": 8}).json()
    api.post(f"holds/{hold['id']}/capture", {"credits": 3})
    api.post("holds", {"action": "background.remove", "quantity": 8})
    set_clock(NOON + timedelta(days=1))
    spent = api.spend(quantity=4).json()
    api.post(f"spends/{spent['id']}/refund", {"credits": 1})
    set_clock(NOON + timedelta(days=2))

    assert api.get("usage").json() == {
        "organization": organization.public_id,
        "from": "2026-11-23T00:00:00Z",
        "to": "2026-11-25T12:00:00Z",
        "by": "action",
        "credits": 11,
        "usage": [
            {"name": "alt-text.generate", "spends": 2, "quantity": 9, "credits": 8},
            {"name": "background.remove", "spends": 1, "quantity": 8, "credits": 3},
        ],
    }
    by_day = api.get("usage", by="day").json()["usage"]
    assert [(row["name"], row["credits"]) for row in by_day] == [
        ("2026-11-23", 8),
        ("2026-11-24", 3),
    ]
    by_service = api.get("usage", by="service", to="2026-11-24T00:00:00Z").json()["usage"]
    assert [row["name"] for row in by_service] == ["Background removal", "Image alt text"]


@pytest.mark.parametrize(
    "query",
    [
        {"by": "month"},
        {"to": ""},
        {"organization": ""},
        {"from": "yesterday"},
        {"from": "2026-11-24T00:00:00Z", "to": "2026-11-23T00:00:00Z"},
        {"from": "2020-01-01T00:00:00Z"},
        {"form": "2026-11-24T00:00:00Z"},
    ],
)
def test_a_wrong_usage_query_is_refused(api, visible, query):
    assert_problem(api.get("usage", **query), 400, "invalid_request")


def test_who_sees_the_balance_reads_how_much_is_missing(api, organization, visible):
    detail = assert_problem(api.spend(quantity=51), 402, "out_of_credits")["detail"]
    assert "takes 51 Amplience credits, more than the 50 left." in detail
    api.spend(quantity=50)
    detail = assert_problem(api.spend(), 402, "out_of_credits")["detail"]
    assert "used all your Amplience credits" in detail


def test_who_does_not_see_the_balance_reads_the_same_at_any(api, organization):
    details = {api.spend(quantity=51).json()["detail"]}
    api.spend(quantity=50)
    details.add(api.spend().json()["detail"])
    assert len(details) == 1
