"""A walk through every page: by day, by night, and on a phone."""

from collections.abc import Iterator

from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings as django_settings
from playwright.sync_api import Page
from shopping import PHONE
from walking import Stop, clients, cookies_of, furnish, stops

SCREENSHOTS = django_settings.BASE_DIR / "var" / "screenshots"
MODES = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": PHONE, "timezone_id": "America/New_York"},
}
MAX_ASSET_BYTES = 60_000
MAX_SHIFT = 0.01
SERIOUS = ("serious", "critical")
# Only colors differ in the dark.
DARK_RULES = {"runOnly": ["color-contrast"]}
WATCH_SHIFTS = """
    window.shifts = [];
    new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((e) => e.value)))
        .observe({ type: "layout-shift", buffered: true });
"""
ASSET_BYTES = """
    performance.getEntriesByType("resource")
        .filter((entry) => ["link", "script", "css", "img"].includes(entry.initiatorType))
        .reduce((total, entry) => total + entry.decodedBodySize, 0)
"""


def problems(page: Page, mode: str) -> Iterator[str]:
    """Whatever is wrong with the page that is open."""
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > page.viewport_size["width"]:
        yield f"scrolls sideways at {width} px"
    page.evaluate(AXE_SCRIPT)
    for violation in page.evaluate(
        "options => axe.run(options)", DARK_RULES if mode == "dark" else {}
    )["violations"]:
        if violation["impact"] in SERIOUS:
            where = [node["html"][:120] for node in violation["nodes"]]
            yield f"{violation['impact']}: {violation['help']}: {where}"
    if (asset_bytes := page.evaluate(ASSET_BYTES)) > MAX_ASSET_BYTES:
        yield f"loads {asset_bytes} bytes"
    if (shift := sum(page.evaluate("window.shifts"))) > MAX_SHIFT:
        yield f"shifts by {shift}"


def visit(page: Page, stop: Stop, path: str, mode: str) -> list[str]:
    response = page.goto(path)
    # A picture of the whole page resizes it, and so comes last.
    found = list(problems(page, mode))
    page.screenshot(path=SCREENSHOTS / f"{stop.name}-{mode}.png", full_page=True)
    if response.status != stop.status:
        found.append(f"answers {response.status}")
    return found


def test_every_page_is_calm_and_can_be_used_by_everybody(open_page, settings):
    ids, visitors = furnish(), clients()
    found = {}
    for mode, options in MODES.items():
        page = open_page(**options)
        page.add_init_script(WATCH_SHIFTS)
        visitor = None
        for stop, path in stops(ids):
            if stop.visitor != visitor:
                visitor = stop.visitor
                page.context.clear_cookies()
                page.context.add_cookies(cookies_of(visitors[visitor]))
            if faults := visit(page, stop, path, mode):
                found[stop.name, mode] = faults
    assert found == {}
