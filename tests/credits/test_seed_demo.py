"""The demo's rows are made once, and made known again where their file is lost."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from credits import access, key_secrets
from credits.models import ApiKey, Membership, Organization, User
from tests.credits.browsing import page
from tests.credits.support import Api


@pytest.fixture
def demo(db, settings, tmp_path):
    """Seeds the demo and returns what its file says."""
    settings.VAR_DIR = tmp_path

    def demo() -> dict:
        call_command("seed_demo")
        return json.loads((tmp_path / "demo.json").read_text())

    return demo


def test_the_demo_s_facts_are_true(demo, client):
    facts = demo()
    assert set(facts) == {
        "base_url",
        "staff",
        "customer",
        "organization",
        "api_key",
        "service_api_key",
    }
    for person in ("staff", "customer"):
        user = User.objects.get(email=facts[person]["email"])
        assert user.check_password(facts[person]["password"])
        assert user.is_staff == (person == "staff")
    assert Api(facts["api_key"]).spend().json()["organization"] == facts["organization"]
    by_service = Api(facts["service_api_key"])
    spent = by_service.spend("background.remove", organization=facts["organization"])
    assert spent.status_code == 201


def test_a_second_seeding_changes_nothing(demo):
    assert demo() == demo()
    assert ApiKey.objects.count() == 2


def test_pages_served_here_may_use_the_demo_s_tokens_on_whatever_port(demo, settings):
    for origin in ("http://127.0.0.1:8000", "http://127.0.0.1:8001"):
        settings.BASE_URL = origin
        server = Api(demo()["api_key"])
        shop = page(server, origin, origins=[origin])
        assert shop.spend().status_code == 201


def test_a_demo_key_that_was_revoked_stays_so(demo):
    key = ApiKey.objects.get(prefix=demo()["api_key"][: key_secrets.SHOWN_LENGTH])
    access.revoke_key(key, now=timezone.now())
    assert Api(demo()["api_key"]).spend().status_code == 401


@pytest.mark.parametrize("content", ["", "{", "5", "{}", '{"organization": "org_gone"}'])
def test_a_lost_file_is_made_anew_for_the_same_rows(demo, tmp_path, content):
    first = demo()
    (tmp_path / "demo.json").write_text(content)
    again = demo()
    assert again["organization"] == first["organization"]
    assert Api(again["api_key"]).spend().status_code == 201
    assert Organization.objects.count() == Membership.objects.count() == 1


def test_production_has_no_demo(demo, settings):
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        demo()
