"""Chromium against the whole program: a live server, PostgreSQL, Valkey and the Stripe sandbox."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from shop import Shop

SCREENSHOTS = django_settings.BASE_DIR / "var" / "screenshots"
DESKTOP = {"width": 1200, "height": 800}
TIMEOUT_MS = 15_000
# Root needs the first; the others keep the browser from talking to anybody but us.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def fresh_rate_limits() -> None:
    cache.clear()


@pytest.fixture
def browser(site: str, worker: None, fresh_rate_limits: None) -> Iterator[Browser]:
    """Chromium, for one test. Skips where there is none, unless BROWSER_TESTS=required.

    While Playwright runs, its event loop makes Django take this thread for asynchronous code and
    give it database connections of their own. So it starts after the database is set up, and ends
    before that is taken down.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()
        connections.close_all()


def _chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None and os.environ.get("BROWSER_TESTS") == "required":
        pytest.fail("BROWSER_TESTS=required, and Chromium is missing: apt-get install chromium")
    if path is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    return path


@pytest.fixture
def open_page(
    browser: Browser, site: str, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """Opens pages as a new visitor each, `open_page(color_scheme="dark")`.

    Every page is photographed at the end of its test. An error in a script fails the test, and so
    does anything that the Content-Security-Policy of a page forbids.
    """
    contexts: list[BrowserContext] = []
    faults: list[object] = []

    def open_page(**options: object) -> Page:
        context = browser.new_context(base_url=site, **{"viewport": DESKTOP, **options})
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        context.on("weberror", lambda error: faults.append(error.error))
        context.on("console", lambda message: faults.extend(_violations(message)))
        return context.new_page()

    yield open_page
    for number, page in enumerate((page for context in contexts for page in context.pages), 1):
        photograph(page, f"end-of-{request.node.name}-{number}")
    for context in contexts:
        context.close()
    assert not faults


def _violations(message: ConsoleMessage) -> list[str]:
    if "Content Security Policy" not in message.text:
        return []
    return [f"{message.location['url']}: {message.text}"]


@pytest.fixture
def page(open_page) -> Page:
    return open_page()


@pytest.fixture
def shop(site: str) -> Iterator[Shop]:
    """A web shop on an origin of its own."""
    with Shop(site) as shop:
        yield shop


@pytest.fixture
def screenshot(page) -> Callable[[str], Path]:
    """Keeps a picture of the page: `screenshot("top-up")` writes var/screenshots/top-up.png."""
    return lambda name: photograph(page, name)


def photograph(page: Page, name: str) -> Path:
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
