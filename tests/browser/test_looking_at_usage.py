"""The overview, its chart and the list of spends in a real browser."""

import csv
import re
from datetime import UTC, datetime, time, timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect
from shopping import EMAIL, PASSWORD, PHONE, sign_in

from credits import ledger
from credits.models import Action, Membership, Organization, User

SCREENSHOTS = settings.BASE_DIR / "var" / "screenshots"
CLIPPED = """
    () => [...document.querySelectorAll("svg text, svg rect, .marks span")].filter(part => {
        const box = part.getBoundingClientRect();
        return box.width && (box.left < 0 || box.right > document.documentElement.clientWidth);
    }).length
"""
OVERLAPS = """
    () => {
        const boxes = [...document.querySelectorAll("svg text")]
            .map(text => text.getBoundingClientRect()).filter(box => box.width);
        return boxes.some((box, index) => index && box.left < boxes[index - 1].right + 4);
    }
"""


def contrast(*colors: str) -> float:
    """The contrast of two CSS colors (WCAG 2.2, relative luminance)."""
    darker, lighter = sorted(luminance(color) for color in colors)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", color)[:3])
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
    ]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.fixture
def organization(site) -> Organization:
    organization = Organization.objects.create(name="Fern & Field", show_balance=True)
    owner = User.objects.create_user(EMAIL, PASSWORD)
    Membership.objects.create(organization=organization, user=owner, role=Membership.Role.OWNER)
    return organization


@pytest.fixture
def used(organization) -> Organization:
    """An organization that used every service on most of 80 days, the last one today."""
    now = timezone.now()
    codes = list(Action.objects.values_list("code", flat=True))
    midnight = datetime.combine(now.date(), time(), UTC)
    ledger.adjust(
        organization, 20_000, reason="Start", actor=None, now=midnight - timedelta(days=90)
    )
    for back in range(80, -1, -1):
        for number, code in enumerate(codes[: 1 + back % 4]):
            ledger.spend(
                organization,
                code,
                quantity=1 + (back * 7 + number * 31) % 60,
                reference=f"order-{1_000 + back}",
                now=midnight - timedelta(days=back),
            )
    held = ledger.hold(organization, codes[0], quantity=12, reference="draft", now=now)
    ledger.release(organization.spends.get(pk=held.id), now=now)
    return organization


def test_a_customer_looks_at_usage_and_takes_it_along(page, used, screenshot, tmp_path):
    sign_in(page)
    expect(page).to_have_url("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Fern & Field")
    screenshot("overview")
    page.get_by_role("link", name="7 days").click()
    bars = page.locator("svg .day")
    expect(bars).to_have_count(7)
    page.get_by_text("Show as a table").click()
    table = page.get_by_role("region", name="Credits used by day and service")
    expect(table.get_by_role("row")).to_have_count(9)

    page.get_by_text("Download every spend as CSV").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    file = tmp_path / download.value.suggested_filename
    assert file.name.startswith("fern-field-usage-")
    download.value.save_as(file)
    with file.open(newline="") as rows:
        credits = sum(int(row["credits"]) - int(row["refunded"]) for row in csv.DictReader(rows))
    expect(table.get_by_role("row").last).to_contain_text(f"{credits:,}")


def test_a_customer_finds_a_spend(page, used, screenshot):
    sign_in(page)
    page.get_by_label("Reference").fill("order-107")
    page.get_by_role("button", name="Search").click()
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("order-1070")
    expect(rows.last).to_contain_text("order-1079")
    screenshot("spends-found")
    page.get_by_role("link", name="Show all").click()
    expect(rows.first).to_contain_text("Released")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Back to the start")).to_be_visible()
    expect(rows.first).to_contain_text("order-")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {"viewport": PHONE}),
        ("phone-dark", {"viewport": PHONE, "color_scheme": "dark"}),
    ],
)
def test_the_chart_fits(open_page, used, name, options):
    page: Page = open_page(**options)
    sign_in(page)
    expect(page).to_have_url("/")
    width = page.viewport_size["width"]
    for days in (7, 30, 90):
        page.goto(f"/?days={days}")
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CLIPPED) == 0
        assert not page.evaluate(OVERLAPS)
        page.screenshot(path=SCREENSHOTS / f"overview-{name}-{days}.png", full_page=True)
    page.goto("/spends/")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=SCREENSHOTS / f"spends-{name}.png", full_page=True)


def test_colors_stand_out_from_the_card(open_page, used):
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        sign_in(page)
        page.wait_for_url("**/")
        colors = page.evaluate(
            "() => [...document.querySelectorAll('.legend .swatch')].map("
            "swatch => getComputedStyle(swatch).backgroundColor)"
        )
        card = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
        assert len(set(colors)) == 4
        assert all(contrast(color, card) >= 3 for color in colors)


def test_hidden_and_empty_overviews_lead_on(page, organization, screenshot):
    sign_in(page)
    expect(page.get_by_role("heading", name="No spends yet")).to_be_visible()
    screenshot("overview-empty")
    Organization.objects.update(show_balance=False)
    page.reload()
    expect(page.get_by_role("heading", name="Next free credits")).to_be_visible()
    expect(page.get_by_role("heading", name="Balance")).to_have_count(0)
    screenshot("overview-hidden")
    page.locator("main").get_by_role("link", name="Top up").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Top up")
