"""`manage.py explain`: the same as the page and the API, as text."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from credits import staff_keys
from credits.models import Organization
from tests.credits.acme import REASON, WEDNESDAY, a_week_at_acme
from tests.credits.support import Api

pytestmark = pytest.mark.django_db

NOON = "2026-11-23T12:00:00Z"


@pytest.fixture
def acme(staff, set_clock):
    set_clock(WEDNESDAY)
    return a_week_at_acme(staff)


def explain(*arguments: object) -> str:
    out = StringIO()
    call_command("explain", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_a_balance_is_told_as_aligned_text(acme, staff):
    text = explain(acme.organization.public_id)
    assert f"Acme ({acme.organization.public_id})\n96 credits at 2026-11-25 10:00:00 UTC\n" in text
    assert "\n  Weekly bundle      0\n  Top-up             0\n  Staff adjustment  96\n" in text
    assert "Staff adjustment: 96 of 100 credits\n" in text
    assert f"by      {staff.email}: {REASON}\n" in text
    lines = [line for line in text.splitlines() if " UTC  " in line and "album-9" in line]
    assert len({line.index("background.remove") for line in lines[:4]}) == 1
    assert "Used up or lapsed since Monday\n\nWeekly bundle: 0 of 50 credits\n" in text
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_a_moment_and_an_exact_name_choose_what_is_told(acme):
    text = explain("Acme", "--at", NOON)
    assert "48 credits at 2026-11-23 12:00:00 UTC" in text
    assert REASON not in text
    assert explain("Acme", "--at", "2026-11-23T12:00:00") == text


def test_a_spend_is_told_as_its_story(acme):
    text = explain("--spend", acme.album.pk)
    for line in (
        f"Hold {acme.album.pk}\n",
        "  price then       1 credit\n",
        "Captured at 2026-11-24 11:05:00 UTC: 55 credits spent.\n",
        "Refunded 3 credits at 2026-11-24 12:00:00 UTC (Shop (ck_org_",
    ):
        assert line in text


def test_json_is_what_the_api_answers(acme, admin):
    _, secret = staff_keys.create_key(
        admin.user, name="Test", expires_at=WEDNESDAY + timedelta(days=1), now=WEDNESDAY
    )
    api = Api(secret)
    balance = api.get(f"explain/organizations/{acme.organization.public_id}", at=NOON)
    assert json.loads(explain("Acme", "--at", NOON, "--json")) == balance.json()
    spend = api.get(f"explain/spends/{acme.album.pk}")
    assert json.loads(explain("--spend", acme.album.pk, "--json")) == spend.json()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "either an organization or --spend"),
        (["Acme", "--spend", "x"], "either an organization or --spend"),
        (["--spend", "x", "--at", NOON], "leave --at out"),
        (["Nobody"], "public id, which starts with org_"),
        (["acme"], "exact name"),
        ([""], "exact name"),
        (["Ac\0me"], "exact name"),
        (["Acme", "--at", "yesterday"], f"write it like {NOON}"),
        (["Acme", "--at", ""], f"write it like {NOON}"),
        (["Acme", "--at", "2026-11-25T10:00:01Z"], "not in the future"),
        (["Acme", "--at", "2026-11-19T00:00:00Z"], "2026-11-20"),
        (["--spend", "17"], "a UUID"),
        (["--spend", ""], "a UUID"),
        (["--spend", "019e3f5c-2b79-7d02-8a11-5b7c9d3e1f20"], "under Spends"),
    ],
)
def test_wrong_input_is_told_with_what_to_do(acme, arguments, problem):
    with pytest.raises(CommandError, match=problem):
        explain(*arguments)


def test_of_several_with_one_name_the_ids_are_told(acme):
    other = Organization.objects.create(name="Acme")
    with pytest.raises(CommandError, match=f"{acme.organization.public_id}, {other.public_id}"):
        explain("Acme")
