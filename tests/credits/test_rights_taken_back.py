"""The upgrade takes from support and finance what they need not read, unless staff chose so."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

take_back = import_module("credits.migrations.0019_access").take_back
NEEDLESS = {"view_periodictask", "view_group", "view_emailaddress", "view_tokenuse"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_before() -> dict[str, Group]:
    """The groups as earlier releases made them: they read everything."""
    groups = {name: Group.objects.get(name=name) for name in ("support", "finance")}
    everything = Permission.objects.filter(
        codename__startswith="view_",
        content_type__app_label__in=("account", "auth", "credits", "django_celery_beat", "topups"),
    )
    for group in groups.values():
        group.permissions.set(everything)
    return groups


def rights(group: Group) -> set[str]:
    return set(group.permissions.values_list("codename", flat=True))


def test_what_is_not_needed_is_taken_and_the_rest_stays(as_before):
    before = {name: rights(group) for name, group in as_before.items()}
    take_back(apps, None)
    after = {name: rights(group) for name, group in as_before.items()}
    assert after["support"].isdisjoint(NEEDLESS)
    assert after["finance"].isdisjoint(NEEDLESS | {"view_apikey", "view_notice"})
    assert {"view_apikey", "view_organization", "view_purchase"} <= after["support"]
    assert {"view_entry", "view_organization", "view_purchase"} <= after["finance"]
    assert all(after[name] < before[name] for name in after)


def test_what_staff_have_changed_stays_as_they_have_it(as_before):
    support, finance = as_before["support"], as_before["finance"]
    support.permissions.add(Permission.objects.get(codename="change_periodictask"))
    finance.permissions.add(Permission.objects.get(codename="add_apikey"))
    take_back(apps, None)
    assert {"view_periodictask", "change_periodictask", "view_crontabschedule"} <= rights(support)
    assert {"view_apikey", "add_apikey"} <= rights(finance)
    assert "view_group" not in rights(support) | rights(finance)


def test_groups_that_staff_renamed_or_removed_are_left_alone(as_before):
    support = as_before["support"]
    Group.objects.filter(name="support").update(name="helpers")
    as_before["finance"].delete()
    before = rights(support)
    take_back(apps, None)
    assert rights(support) == before
