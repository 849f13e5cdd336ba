"""Credits given back go home to the grants they came from."""

from datetime import timedelta

import pytest

from credits import ledger
from credits.models import Grant
from tests.credits.support import MONDAY, assert_problem, entries

NOON = MONDAY + timedelta(hours=12)


@pytest.fixture
def spent(api, organization, staff, set_clock):
    """A spend of 60: 50 from the weekly bundle and 10 from 20 staff credits."""
    set_clock(NOON)
    ledger.adjust(organization, 20, reason="welcome", actor=staff, now=NOON)
    return api.spend(quantity=60).json()


def remaining(organization):
    return {grant.kind: grant.remaining for grant in Grant.objects.filter(week=None)} | {
        str(grant.week): grant.remaining for grant in Grant.objects.exclude(week=None)
    }


def test_a_partial_refund_returns_the_last_drawn_first(api, organization, spent):
    body = api.post(f"spends/{spent['id']}/refund", {"credits": 12}).json()
    assert (body["status"], body["credits"], body["refunded"]) == ("partially_refunded", 60, 12)
    assert remaining(organization) == {"staff": 20, "2026-11-23": 2}
    body = api.post(f"spends/{spent['id']}/refund", {"credits": 1}).json()
    assert body["refunded"] == 13
    assert remaining(organization) == {"staff": 20, "2026-11-23": 3}


def test_a_full_refund_can_be_repeated_and_never_gives_more(api, organization, spent):
    for _ in range(2):
        response = api.post(f"spends/{spent['id']}/refund")
        assert (response.status_code, response.json()["status"]) == (200, "refunded")
    assert response.headers["Idempotent-Replayed"] == "true"
    assert remaining(organization) == {"staff": 20, "2026-11-23": 50}
    response = api.post(f"spends/{spent['id']}/refund", {"credits": 1})
    assert_problem(response, 400, "invalid_request")


def test_a_repeated_key_refunds_once(api, organization, spent):
    path = f"spends/{spent['id']}/refund"
    first = api.post(path, {"credits": 5}, key="refund-1")
    api.post(path, {"credits": 2})
    again = api.post(path, {"credits": 5}, key="refund-1")
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    for other_form in ({"credits": 6}, {}):
        response = api.post(path, other_form, key="refund-1")
        assert_problem(response, 422, "idempotency_conflict")
    other = api.spend().json()
    response = api.post(f"spends/{other['id']}/refund", {"credits": 1}, key="refund-1")
    assert_problem(response, 422, "idempotency_conflict")
    assert remaining(organization)["staff"] == 20 - 10 + 7 - 1


@pytest.mark.parametrize("credits", [0, -1, 61, "many", 10**30])
def test_a_wrong_amount_is_refused(api, organization, spent, credits):
    before = entries(organization)
    response = api.post(f"spends/{spent['id']}/refund", {"credits": credits})
    assert_problem(response, 400, "invalid_request")
    assert entries(organization) == before


def test_a_refund_into_a_lapsed_bundle_lapses_again_on_the_record(
    api, organization, spent, set_clock
):
    set_clock(NOON + timedelta(days=7))
    assert api.post(f"spends/{spent['id']}/refund").status_code == 200
    assert remaining(organization) == {"staff": 20, "2026-11-23": 0, "2026-11-30": 50}
    assert [entry[1:] for entry in entries(organization)][-3:] == [
        ("refund", 10),
        ("refund", 50),
        ("expire", -50),
    ]


def test_a_captured_hold_is_refunded_like_a_spend(api, organization, set_clock):
    set_clock(NOON)
    hold = api.post("holds", {"action": "background.remove", "quantity": 10}).json()
    api.post(f"holds/{hold['id']}/capture", {"credits": 6})
    response = api.post(f"spends/{hold['id']}/refund", {"credits": 7})
    assert_problem(response, 400, "invalid_request")
    body = api.post(f"spends/{hold['id']}/refund").json()
    assert (body["status"], body["credits"], body["refunded"]) == ("refunded", 6, 6)
    assert remaining(organization) == {"2026-11-23": 50}
