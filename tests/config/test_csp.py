"""Which Content-Security-Policy each page has; tests/browser shows that browsers live with it."""

import pytest
from django.conf import settings
from walking import clients, furnish, stops


def policy(response) -> dict[str, str]:
    directives = response.headers["Content-Security-Policy"].split("; ")
    return dict(directive.split(" ", 1) for directive in directives)


STRICT = {
    "default-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": f"'self' http://127.0.0.1:{settings.PORT} https://checkout.stripe.com",
}


def test_pages_of_customers_take_nothing_inline_and_nothing_from_elsewhere(site, worker):
    ids, visitors = furnish(), clients()
    for stop, path in stops(ids):
        if not path.startswith(("/sandbox/pay/", "/accounts/2fa/totp/activate/")):
            assert policy(visitors[stop.visitor].get(path)) == STRICT, path


def test_the_page_that_sets_up_a_second_factor_shows_its_qr_code(client, django_user_model, db):
    client.force_login(django_user_model.objects.create_user("dana@example.com"))
    page = client.get("/accounts/2fa/totp/activate/")
    assert policy(page) == {**STRICT, "img-src": "'self' data:"}


def test_the_page_of_a_sandbox_payment_leads_anywhere(client, db):
    # Not found, and so without a shop to lead to.
    assert policy(client.get("/sandbox/pay/cs_1/")) == {
        name: sources for name, sources in STRICT.items() if name != "form-action"
    }


def test_the_api_reference_shows_the_icons_of_its_style_sheet(client, db):
    assert policy(client.get("/api/docs/")) == {**STRICT, "img-src": "'self' data:"}


@pytest.mark.parametrize("path", ["/api/schema/", "/api/v1/actions", "/health/"])
def test_what_is_no_page_is_as_strict(client, db, path):
    assert policy(client.get(path)) == STRICT


@pytest.mark.parametrize("path", ["/admin/", "/admin/credits/organization/"])
def test_the_admin_has_the_exceptions_that_its_libraries_need(admin, path):
    given = policy(admin.get(path, follow=True))
    assert given.pop("script-src").startswith("'self' 'unsafe-eval' 'sha256-")
    assert given.pop("style-src") == "'self' 'unsafe-inline'"
    assert given == {**STRICT, "form-action": "'self'"}
