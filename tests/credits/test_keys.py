"""Who may call the API: what a key opens, and when it stops."""

from datetime import timedelta

import pytest
from django.utils import timezone

from credits import ledger
from credits.access import create_key, find_access, revoke_key
from credits.models import Action, ApiKey, Organization, Spend
from tests.credits.support import MONDAY, Api, assert_problem


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ck_org_wrong", "Basic abc", "Bearer \x00", "Bearer é"]
)
def test_without_a_working_key_nothing_is_told(api, authorization):
    response = api.post("spends", {"action": "alt-text.generate"}, Authorization=authorization)
    assert_problem(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "API key" in response.json()["detail"]


def test_a_key_stops_when_it_is_revoked_or_expires(organization):
    revoked, secret = create_key(name="Old", organization=organization)
    assert Api(secret).spend().status_code == 201
    revoke_key(revoked, now=timezone.now())
    assert_problem(Api(secret).spend(), 401, "unauthorized")
    _, secret = create_key(
        name="Short", organization=organization, expires_at=timezone.now() - timedelta(seconds=1)
    )
    assert_problem(Api(secret).spend(), 401, "unauthorized")


def test_the_key_of_a_request_is_read_as_the_orm_reads_it(organization):
    key, secret = create_key(
        name="Test", organization=organization, allowed_origins=["https://shop.example"]
    )
    found = find_access(secret, now=timezone.now())
    as_stored = ApiKey.objects.select_related("organization").get(pk=key.pk)
    for read, stored in (
        (found.key, as_stored),
        (found.organization, as_stored.organization),
    ):
        for field in stored._meta.concrete_fields:
            assert getattr(read, field.attname) == getattr(stored, field.attname), field.name
        assert not read._state.adding


def test_only_a_hash_of_a_key_is_stored(organization):
    key, secret = create_key(name="Secret", organization=organization)
    stored = ApiKey.objects.filter(pk=key.pk).values().get()
    assert not any(secret in str(value) for value in stored.values())
    assert secret.startswith(key.prefix)
    assert len(key.prefix) < 16


def test_a_restricted_key_spends_its_actions_only(organization):
    action = Action.objects.get(code="alt-text.generate")
    _, secret = create_key(name="One", organization=organization, allowed_actions=[action])
    assert Api(secret).spend("alt-text.generate").status_code == 201
    assert_problem(Api(secret).spend("rich-text.generate"), 403, "forbidden")
    assert_problem(Api(secret).spend("no.such"), 400, "invalid_request")


def test_last_use_is_kept_without_a_write_on_each_request(
    api, organization, set_clock, django_assert_num_queries
):
    set_clock(MONDAY)
    api.spend()
    assert ApiKey.objects.get().last_used_at == MONDAY
    set_clock(MONDAY + timedelta(minutes=4))
    with django_assert_num_queries(2):
        api.spend()
    assert ApiKey.objects.get().last_used_at == MONDAY
    set_clock(MONDAY + timedelta(minutes=6))
    api.spend()
    assert ApiKey.objects.get().last_used_at == MONDAY + timedelta(minutes=6)


def test_a_key_cannot_touch_another_organization(api, organization):
    other = Organization.objects.create(name="Other")
    foreign = ledger.spend(other, "alt-text.generate", now=timezone.now())
    held = ledger.hold(other, "alt-text.generate", now=timezone.now())
    assert_problem(api.spend(organization=other.public_id), 403, "forbidden")
    assert_problem(api.spend(organization="org_nobody"), 403, "forbidden")
    assert_problem(api.post(f"spends/{foreign.id}/refund"), 404, "not_found")
    assert_problem(api.post(f"holds/{held.id}/capture"), 404, "not_found")
    assert_problem(api.post(f"holds/{held.id}/release"), 404, "not_found")
    assert Spend.objects.get(pk=foreign.id).refunded_credits == 0
    assert api.spend(organization=organization.public_id).status_code == 201


def test_a_service_key_names_the_organization_and_spends_its_service_only(
    service_api, organization
):
    spent = service_api.spend("background.remove", organization=organization.public_id)
    assert spent.status_code == 201
    assert spent.json()["organization"] == organization.public_id
    body = assert_problem(service_api.spend("background.remove"), 400, "invalid_request")
    assert body["errors"][0]["field"] == "organization"
    body = assert_problem(
        service_api.spend("background.remove", organization="org_nobody"), 400, "invalid_request"
    )
    other_action = service_api.spend("alt-text.generate", organization=organization.public_id)
    assert_problem(other_action, 403, "forbidden")
    foreign = ledger.spend(organization, "alt-text.generate", now=timezone.now())
    assert_problem(service_api.post(f"spends/{foreign.id}/refund"), 404, "not_found")


def test_too_many_requests_are_told_when_to_come_back(api, settings, set_clock):
    set_clock(MONDAY + timedelta(seconds=50))
    settings.API_REQUESTS_PER_MINUTE = 2
    assert [api.get("actions").status_code for _ in range(2)] == [200, 200]
    response = api.get("actions")
    assert_problem(response, 429, "rate_limited")
    assert response.headers["Retry-After"] == "10"
