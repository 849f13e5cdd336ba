"""The guides for those who build on the API: pages for everybody, which say what is true."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as django_settings

from credits import guides
from credits.access import create_key
from credits.api.problems import PROBLEMS
from credits.models import Organization
from tests.credits.guide_reader import Reader, try_all
from tests.credits.support import Api

DOCS = django_settings.BASE_DIR / "docs"
API_GUIDE = (DOCS / "api.md").read_text()
WEDNESDAY = datetime(2026, 11, 25, 10, tzinfo=UTC)


@pytest.fixture
def reader(db, settings, set_clock) -> Reader:
    """A new customer on the day of the guide, with a key that allows the guide's pages."""
    settings.BASE_URL = guides.PLACEHOLDER
    set_clock(WEDNESDAY)
    organization = Organization.objects.create(name="Acme", weekly_credits=50)
    _, secret = create_key(
        name="Guide", organization=organization, allowed_origins=["https://shop.example"]
    )
    return Reader(Api(secret))


def test_each_example_of_the_api_guide_answers_what_the_guide_shows(reader, set_clock):
    before, _, after = API_GUIDE.partition("### Balance and usage")
    try_all(reader, before)
    Organization.objects.update(show_balance=True)
    set_clock(WEDNESDAY + timedelta(hours=1))
    assert "GET /api/v1/balance" in after
    try_all(reader, after)


def test_the_first_call_of_the_guide_works_when_it_is_pasted(site):
    organization = Organization.objects.create(name="Acme")
    _, secret = create_key(name="Guide", organization=organization)
    command = re.search(r"^curl .*?^```", API_GUIDE, re.DOTALL | re.MULTILINE)
    assert command
    pasted = command[0].removesuffix("```").replace(guides.PLACEHOLDER, site)
    answer = subprocess.run(
        ["sh", "-c", pasted],
        env={"API_KEY": secret, "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(answer.stdout)["reference"] == "image-17"
    assert organization.spends.get().credits == 1


def test_the_error_table_has_each_problem_there_is():
    table = API_GUIDE.partition("## Errors")[2]
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| \S", table, re.MULTILINE)
    assert sorted(rows) == sorted((str(known.status), known.code) for known in PROBLEMS.values())


# The pages


@pytest.mark.parametrize("slug", guides.GUIDES)
def test_everybody_can_read_each_guide(client, db, settings, slug):
    settings.BASE_URL = "https://here.example"
    response = client.get(f"/docs/{slug}/")
    assert response.status_code == 200
    assert "https://here.example" in response.text
    assert guides.PLACEHOLDER not in response.text
    assert f'href="/docs/{slug}/"' in client.get("/docs/").text


@pytest.mark.parametrize("slug", guides.GUIDES)
def test_each_link_of_a_guide_leads_somewhere(client, db, settings, slug):
    settings.BASE_URL = "http://testserver"
    article = client.get(f"/docs/{slug}/").text
    links = re.findall(r'href="((?:/|#|http://testserver)[^"]*)"', article)
    assert "/docs/api/" in links
    for link in links:
        path, _, anchor = link.removeprefix("http://testserver").partition("#")
        target = client.get(path) if path and not path.startswith("/static/") else None
        assert target is None or target.status_code in (200, 302), link
        assert not anchor or f'id="{anchor}"' in (target.text if target else article), link


def test_a_problem_leads_to_the_table_of_errors(client, db):
    assert 'href="/docs/api/#errors"' in client.get("/problems/out-of-credits/").text
    assert '<h2 id="errors">Errors</h2>' in client.get("/docs/api/").text


def test_raw_html_in_a_guide_is_shown_and_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(guides, "DOCS", tmp_path)
    (tmp_path / "api.md").write_text("# API\n\n<script>x</script>\n\n`<b>`\n\n```\n<i>\n```\n")
    html = guides.render(guides.GUIDES["api"], base_url="https://raw.example").html
    assert "&lt;script&gt;" in html
    assert "<code>&lt;b&gt;</code>" in html
    assert '<pre tabindex="0"><code>&lt;i&gt;\n</code></pre>' in html


@pytest.mark.parametrize("slug", ["stripe", "operations", "api.md", "..", "decisions"])
def test_nothing_but_the_guides_is_published(client, db, slug):
    assert client.get(f"/docs/{slug}/").status_code == 404


def test_guides_are_read_and_not_written(client):
    for path in ("/docs/", "/docs/api/", "/docs/python/credits_client.py"):
        assert client.post(path).status_code == 405


def test_the_python_client_is_given_as_a_file_that_talks_to_this_server(client, settings):
    settings.BASE_URL = "https://here.example"
    response = client.get("/docs/python/credits_client.py")
    assert response.headers["Content-Type"] == "text/x-python; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert 'base_url: str = "https://here.example"' in response.text
    assert re.search(r'^__version__ = "\d+\.\d+\.\d+"$', response.text, re.MULTILINE)
