"""Addresses of the admin that nobody was given: never an error of the server."""

import pytest
from django.contrib import admin as django_admin
from django.urls import reverse

pytestmark = pytest.mark.django_db

MODELS = sorted(
    (
        model
        for model in django_admin.site._registry
        if model._meta.app_label != "django_celery_beat"
    ),
    key=lambda model: model._meta.label,
)


def list_of(model) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
@pytest.mark.parametrize("no_id", ["abc", "1%00", "_00", "9" * 30])
def test_what_is_no_id_is_an_unknown_row(admin, model, no_id):
    answer = admin.get(f"{list_of(model)}{no_id}/change/")
    assert answer.status_code in (302, 404)
    if answer.status_code == 302:
        assert "doesn’t exist" in admin.get(answer.url).text


def filters_of(client, model) -> list[str]:
    specs = client.get(list_of(model)).context["cl"].filter_specs
    return [name for spec in specs for name in spec.expected_parameters()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_no_list_breaks_at_a_filter_that_it_does_not_offer(admin, model):
    if "cl" not in (admin.get(list_of(model)).context or {}):
        return
    names = filters_of(admin, model)
    for value in ("zz", "\0", "9" * 30, "a" * 3_000):
        for name in names:
            assert admin.get(list_of(model), {name: value}).status_code in (200, 302), name
        both = admin.get(list_of(model), dict.fromkeys(names, value), follow=True)
        assert both.status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_no_list_breaks_at_a_search_for_long_words(admin, model):
    for term in ("a" * 3_000, "\U0001d56c" * 3_000, " ".join(["ab" * 700] * 20)):
        assert admin.get(list_of(model), {"q": term}).status_code in (200, 302)


def test_a_filter_takes_its_own_choices_alone(admin, organization):
    for query in ("suspended=zz", "out_of_credits=zz", "suspended=zz&out_of_credits=zz"):
        shown = admin.get(f"/admin/credits/organization/?{query}").context["cl"]
        assert [row.name for row in shown.result_list] == ["Acme"]


def test_days_of_an_organization_that_cannot_be_show_nothing(admin):
    nobody = {"organization__id__exact": "9" * 30, "created_at_from": "2026-01-01"}
    answer = admin.get("/admin/credits/entry/", nobody)
    assert answer.context["cl"].result_count == 0
