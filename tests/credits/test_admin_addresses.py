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
