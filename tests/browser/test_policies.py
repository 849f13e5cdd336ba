"""Pages work under their Content-Security-Policy: `open_page` fails where one does not."""

from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import expect
from walking import clients, cookies_of, furnish


def test_every_list_in_the_admin_works_under_its_policy(page, site, screenshot):
    furnish()
    page.context.add_cookies(cookies_of(clients()["staff"]))
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert page.goto(reverse(f"{name}_changelist")).ok
        expect(page.locator("#content")).to_be_visible()
    assert page.goto(reverse("admin:django_celery_beat_periodictask_add")).ok
    screenshot("admin-periodic-task")


def test_the_api_reference_works_under_its_policy(page, site, screenshot):
    page.goto("/api/docs/")
    page.locator("#operations-v1-v1_actions_retrieve .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table").first).to_contain_text("401")
    screenshot("api-reference")
