"""Swagger UI at /api/docs/, from our own files and under the strict policy, makes a real spend."""

from playwright.sync_api import expect

from credits.access import create_key
from credits.models import Organization


def test_a_newcomer_authorizes_and_makes_a_spend_in_the_page(page, site, screenshot):
    organization = Organization.objects.create(name="Fern & Field")
    _, secret = create_key(name="Trial", organization=organization)
    hosts: set[str] = set()
    page.on(
        "request", lambda request: hosts.add(request.url.split("/api/")[0].split("/static/")[0])
    )
    page.goto("/api/docs/")

    page.get_by_role("button", name="Authorize", exact=True).click()
    dialog = page.locator(".modal-ux")
    form = dialog.locator("form").filter(has_text="ApiKey")
    form.locator("input").fill(secret)
    form.get_by_role("button", name="Apply credentials").click()
    form.get_by_role("button", name="Close").click()

    call = page.locator("#operations-Spend-spend")
    call.locator(".opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_placeholder("Idempotency-Key").fill("image-17")
    call.get_by_role("button", name="Execute").click()
    live = call.locator(".live-responses-table")
    expect(live.locator("tbody .response-col_status").first).to_contain_text("201")
    expect(live).to_contain_text('"status": "spent"')
    screenshot("api-docs-spend")

    spend = organization.spends.get()
    assert (spend.action.code, spend.quantity, spend.idempotency_key) == (
        "alt-text.generate",
        2,
        "image-17",
    )
    # Nothing comes from anywhere else; the icons are in the style sheet.
    assert {host for host in hosts if not host.startswith("data:")} == {site}
