"""What staff see of a list that is too long for what they asked of it."""

import pytest
from django.test import Client
from playwright.sync_api import expect

from credits.models import Organization, User

LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
}


@pytest.fixture
def cookie(site) -> dict[str, str]:
    """The session of a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("sam@example.com"))
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}


@pytest.mark.parametrize("look", LOOKS)
def test_a_list_that_would_take_too_long_says_what_to_do(open_page, cookie, monkeypatch, look):
    Organization.objects.bulk_create(Organization(name=f"Studio {n}") for n in range(2_000))
    page = open_page(**LOOKS[look])
    page.context.add_cookies([cookie])
    monkeypatch.setattr("credits.admin.base.LIST_MILLISECONDS", 1)
    page.goto("/admin/credits/organization/?q=studio")
    expect(page.get_by_text("choose an organization, fewer days or a kind")).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]

    back = page.get_by_role("link", name="Back to the whole list")
    expect(back).to_have_attribute("href", "/admin/credits/organization/")


@pytest.mark.parametrize("look", LOOKS)
def test_a_search_that_finds_nothing_says_what_is_searched(open_page, cookie, look):
    page = open_page(**LOOKS[look])
    page.context.add_cookies([cookie])
    page.goto("/admin/credits/spend/?q=asset-9")
    expect(page.get_by_text("References and idempotency keys are searched")).to_be_visible()
