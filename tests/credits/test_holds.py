"""Credits set aside: captured in part or full, released, or letting go by themselves."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from credits import ledger
from credits.ledger import database
from credits.models import Entry, Organization, Spend
from credits.tasks import release_expired_holds
from tests.credits.support import MONDAY, assert_problem, entries

NOON = MONDAY + timedelta(hours=12)


@pytest.fixture
def hold(api, set_clock):
    """A hold of 10 credits made on Monday noon."""
    set_clock(NOON)
    response = api.post("holds", {"action": "background.remove", "quantity": 10})
    assert response.status_code == 201
    return response.json()


def left(organization, at=NOON):
    return ledger.balance(organization, now=at).total


def test_a_hold_sets_credits_aside_for_15_minutes(hold, organization):
    assert hold["status"] == "held"
    assert hold["expires_at"] == "2026-11-23T12:15:00Z"
    assert [part["credits"] for part in hold["drawn"]] == [10]
    assert left(organization) == 40
    assert entries(organization) == [(1, "grant", 50), (2, "hold", -10)]


def test_a_hold_lives_as_long_as_asked_and_a_day_at_most(api, set_clock):
    set_clock(NOON)
    form = {"action": "background.remove", "expires_in_seconds": 86_400}
    assert api.post("holds", form).json()["expires_at"] == "2026-11-24T12:00:00Z"
    for seconds in (0, 86_401, "soon"):
        response = api.post("holds", {**form, "expires_in_seconds": seconds})
        body = assert_problem(response, 400, "invalid_request")
        assert body["errors"][0]["field"] == "expires_in_seconds"


def test_a_repeated_hold_gives_the_first_answer(api, set_clock):
    set_clock(NOON)
    form = {"action": "background.remove", "quantity": 4, "expires_in_seconds": 60}
    first = api.post("holds", form, key="job-1")
    set_clock(NOON + timedelta(seconds=5))
    again = api.post("holds", form, key="job-1")
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = api.post("holds", {**form, "expires_in_seconds": 61}, key="job-1")
    assert_problem(other, 422, "idempotency_conflict")


def test_a_partial_capture_takes_its_part_and_the_rest_goes_back(api, hold, organization):
    response = api.post(f"holds/{hold['id']}/capture", {"credits": 6})
    assert response.status_code == 200
    body = response.json()
    assert (body["status"], body["credits"], body["released"]) == ("captured", 6, 4)
    assert left(organization) == 44
    assert entries(organization)[2:] == [(3, "release", 10), (4, "spend", -6)]


def test_a_capture_takes_all_unless_told_otherwise_and_only_once(api, hold, organization):
    first = api.post(f"holds/{hold['id']}/capture")
    again = api.post(f"holds/{hold['id']}/capture", {"credits": 10})
    assert first.json() == again.json()
    assert first.json()["credits"] == 10
    assert left(organization) == 40
    for path, form in (("capture", {"credits": 9}), ("release", {})):
        response = api.post(f"holds/{hold['id']}/{path}", form)
        assert "captured" in assert_problem(response, 409, "conflict")["detail"]
    assert left(organization) == 40


@pytest.mark.parametrize("credits", [0, 11, "all", -1])
def test_a_capture_of_more_than_is_held_is_refused(api, hold, organization, credits):
    response = api.post(f"holds/{hold['id']}/capture", {"credits": credits})
    assert_problem(response, 400, "invalid_request")
    assert Spend.objects.get().status == "held"
    assert left(organization) == 40


def test_a_release_gives_everything_back_and_repeating_it_changes_nothing(api, hold, organization):
    for _ in range(2):
        response = api.post(f"holds/{hold['id']}/release")
        assert (response.status_code, response.json()["status"]) == (200, "released")
    assert left(organization) == 50
    assert_problem(api.post(f"holds/{hold['id']}/capture"), 409, "conflict")
    assert left(organization) == 50


def test_the_spend_that_needs_an_overdue_hold_s_credits_gets_them(
    api, hold, organization, set_clock
):
    set_clock(NOON + timedelta(minutes=14, seconds=59))
    assert api.spend(quantity=41).status_code == 402
    set_clock(NOON + timedelta(minutes=15))
    assert left(organization, NOON + timedelta(minutes=15)) == 50
    assert api.spend(quantity=41).status_code == 201
    response = api.post(f"holds/{hold['id']}/capture")
    assert "expired" in assert_problem(response, 409, "conflict")["detail"]


def test_a_sweep_releases_overdue_holds(hold, organization, set_clock):
    set_clock(NOON + timedelta(minutes=15))
    release_expired_holds()
    assert Spend.objects.get().status == "expired"
    assert entries(organization)[2:] == [(3, "release", 10)]
    release_expired_holds()
    assert Entry.objects.count() == 3


def test_the_sweep_lets_lapse_what_staff_gave(organization, staff, set_clock):
    lapses_at = NOON + timedelta(hours=1)
    ledger.adjust(organization, 20, reason="Trial", actor=staff, expires_at=lapses_at, now=NOON)
    set_clock(lapses_at)
    release_expired_holds()
    release_expired_holds()
    assert entries(organization)[1:] == [(2, "grant", 20), (3, "expire", -20)]


def test_the_sweep_goes_on_after_an_organization_that_fails(
    hold, organization, staff, set_clock, monkeypatch, caplog
):
    other = Organization.objects.create(name="Birch")
    lapses_at = NOON + timedelta(minutes=15)
    ledger.adjust(other, 20, reason="Trial", actor=staff, expires_at=lapses_at, now=NOON)
    open_wallet = database.open_wallet

    def fail_for_the_first(organization_id, now):
        if organization_id == organization.pk:
            raise OperationalError("The connection is gone.")
        return open_wallet(organization_id, now)

    monkeypatch.setattr(database, "open_wallet", fail_for_the_first)
    set_clock(lapses_at)
    release_expired_holds()
    assert entries(other)[-1] == (3, "expire", -20)
    assert Spend.objects.get().status == "held"
    assert f"organization {organization.pk} was not settled" in caplog.text


def test_a_hold_over_monday_is_captured_from_last_week_and_the_rest_lapses(
    api, organization, set_clock
):
    sunday = MONDAY - timedelta(minutes=5)
    set_clock(sunday)
    hold = api.post("holds", {"action": "background.remove", "quantity": 10}).json()
    set_clock(MONDAY + timedelta(minutes=5))
    assert api.post(f"holds/{hold['id']}/capture", {"credits": 4}).status_code == 200
    assert left(organization, MONDAY + timedelta(minutes=5)) == 50
    assert [entry[1:] for entry in entries(organization)] == [
        ("grant", 50),
        ("hold", -10),
        ("expire", -40),
        ("grant", 50),
        ("release", 10),
        ("spend", -4),
        ("expire", -6),
    ]


def test_a_spend_is_no_hold(api):
    spend = api.spend().json()
    assert_problem(api.post(f"holds/{spend['id']}/capture"), 404, "not_found")


def test_an_open_hold_cannot_be_refunded(api, hold, organization):
    assert_problem(api.post(f"spends/{hold['id']}/refund"), 400, "invalid_request")
    assert left(organization) == 40


def test_a_hold_without_credits_is_denied(api, set_clock, organization):
    set_clock(NOON)
    response = api.post("holds", {"action": "background.remove", "quantity": 51})
    assert_problem(response, 402, "out_of_credits")
    assert not Spend.objects.exists()
    assert Organization.objects.get().wallet.entry_seq == 0


def test_the_verbs_refuse_what_is_no_hold(organization):
    for seconds in (0, 86_401):
        with pytest.raises(ValueError, match="86400"):
            ledger.hold(organization, "background.remove", expires_in_seconds=seconds, now=NOON)
    result = ledger.spend(organization, "background.remove", now=NOON)
    with pytest.raises(ValueError, match="never a hold"):
        ledger.capture(Spend.objects.get(pk=result.id), now=NOON)
