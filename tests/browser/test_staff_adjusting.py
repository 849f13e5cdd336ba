"""Staff adjust one organization and many of them, in a real browser."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Page, expect

from credits import adjustments, ledger
from credits.models import Adjustment, Grant, Organization, User
from tests.credits.adjustment_files import csv_file, row
from tests.purchases import paid_purchase

EMAIL, PASSWORD = "sam@example.com", "a-calm-harbor-7"
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
}


@pytest.fixture
def supporter(site) -> User:
    user = User.objects.create_user(EMAIL, PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="support"))
    return user


@pytest.fixture(params=LOOKS)
def look(request) -> str:
    return request.param


@pytest.fixture
def page(open_page, supporter, look) -> Page:
    """A page of the admin, signed in, in light, in dark and on a phone."""
    page = open_page(**LOOKS[look])
    page.goto("/admin/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/admin/$"))
    return page


@pytest.fixture
def photographed(page, look, screenshot) -> Callable[[str], None]:
    """Keeps a picture of the page, which must not scroll sideways."""

    def photographed(name: str) -> None:
        screenshot(f"adjusting-{name}-{look}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    return photographed


@pytest.fixture
def organization(site) -> Organization:
    return Organization.objects.create(name="Fern & Field", weekly_credits=50)


@pytest.fixture
def bought(organization) -> None:
    now = timezone.now()
    purchase = paid_purchase(organization, 500, now=now)
    ledger.grant(organization, 500, kind=Grant.Kind.TOP_UP, purchase_id=purchase.pk, now=now)


def test_a_deduction_is_previewed_changed_and_confirmed(page, organization, bought, photographed):
    page.goto(f"/admin/credits/organization/{organization.pk}/adjust/")
    page.get_by_label("Credits").fill("-6")
    page.get_by_label("Reason").select_option("Correction")
    page.get_by_label("In your words").fill("Given twice")
    page.get_by_label("Ticket").fill("https://tickets.example.com/4711")
    photographed("form")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Change").click()
    page.get_by_label("Credits").fill("-60")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("row").filter(has_text="Top-up")).to_contain_text("-10")
    expect(page.get_by_role("link", name="tickets.example.com/4711")).to_be_visible()
    photographed("preview")
    ledger.spend(organization, "alt-text.generate", quantity=5, now=timezone.now())
    page.get_by_role("button", name="Take 60 credits").click()
    expect(page.get_by_text("The credits have changed since the preview")).to_be_visible()
    photographed("preview-again")
    page.get_by_role("button", name="Take 60 credits").click()
    expect(page.get_by_text("Took 60 credits. Fern & Field now has 485.")).to_be_visible()
    page.goto("/admin/credits/adjustment/")
    photographed("list")


def test_a_file_is_tried_out_confirmed_and_its_result_downloaded(
    page, organization, tmp_path, photographed
):
    others = [Organization.objects.create(name=f"Company {n}") for n in range(1, 6)]
    rows = [row(one, 25, text="Sorry for Friday", reason="outage") for one in others]
    rows += [row(organization, -20, reason="correction", text="Given twice")]
    wrong = [
        row(organization, 0, reference="x"),
        row(organization, 5, reason="because", reference="y"),
    ]
    path = tmp_path / "outage-friday.csv"
    path.write_bytes(csv_file([*rows, *wrong]))
    page.goto("/admin/credits/adjustment/adjust_from_file/")
    photographed("upload")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Try it out").click()
    expect(page.get_by_text("Dry run: nothing has changed")).to_be_visible()
    photographed("dry-run")
    page.get_by_role("button", name="Make 6 adjustments").click()
    expect(page.get_by_text("Nothing was adjusted: some rows are wrong.")).to_be_visible()
    page.get_by_label("Leave out the 2 rows with errors").check()
    page.get_by_role("button", name="Make 6 adjustments").click()
    expect(page.get_by_text("Finished. Download the result")).to_be_visible()
    photographed("result")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download result").click()
    assert download.value.suggested_filename == "result-outage-friday.csv"
    with Path(download.value.path()).open(newline="") as file:
        outcomes = [line["outcome"] for line in csv.DictReader(file)]
    assert outcomes == ["done"] * 6 + ["refused"] * 2
    assert Adjustment.objects.count() == 6


def test_the_page_follows_a_file_that_is_being_made(
    page, supporter, organization, monkeypatch, photographed
):
    monkeypatch.setattr("credits.adjustments.bulk.ROWS_AT_ONCE", 3)
    now = timezone.now()
    rows = (row(organization, 1, reference=str(n)) for n in range(5))
    bulk = adjustments.upload(adjustments.read("gift.csv", csv_file(rows)), by=supporter, now=now)
    adjustments.confirm(bulk, leave_out_refused=False, by=supporter, now=now)
    adjustments.run(bulk.pk, now=now)
    page.goto(f"/admin/credits/bulkadjustment/{bulk.pk}/change/")
    expect(page.get_by_text("Under way: 3 of 5 rows.")).to_be_visible()
    photographed("progress")
    adjustments.run(bulk.pk, now=now)
    expect(page.get_by_text("Finished. Download the result")).to_be_visible()
