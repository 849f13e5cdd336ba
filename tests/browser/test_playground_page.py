"""The playground in a real browser: the whole story, and each sample by hand without credits."""

import gzip
import re
from collections.abc import Callable

import pytest
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from shopping import EMAIL, PASSWORD, PHONE, pay, sign_in

from credits.access import revoke_key
from credits.models import Membership, Organization, User

# How many pixels of a canvas are transparent.
COUNT_CLEAR = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let clear = 0;
  for (let at = 3; at < data.length; at += 4) clear += data[at] === 0;
  return clear;
}"""


@pytest.fixture
def organization(site) -> Organization:
    """An organization of a week's usual free credits, whose owner signs in."""
    organization = Organization.objects.create(name="Fern & Field", weekly_credits=50)
    owner = User.objects.create_user(EMAIL, PASSWORD)
    Membership.objects.create(organization=organization, user=owner, role=Membership.Role.OWNER)
    return organization


@pytest.fixture
def enter(organization) -> Callable[[Page], None]:
    """Signs in, opens the playground and waits for the prices."""

    def enter(page: Page) -> None:
        sign_in(page)
        page.goto("/playground/")
        expect(costs(page).first).to_have_text("1 credit")

    return enter


def costs(page: Page) -> Locator:
    return page.locator("[data-cost]")


def sample(page: Page, name: str) -> Locator:
    return page.locator(f"[data-sample={name}]")


def said(page: Page, name: str) -> Locator:
    return sample(page, name).locator("[data-said]")


def spend(page: Page, name: str, quantity: int | None = None) -> None:
    card = sample(page, name)
    # Its script comes when the card comes into view.
    card.scroll_into_view_if_needed()
    if quantity:
        card.get_by_label("How many").select_option(str(quantity))
    card.locator("[type=submit]").click()


def run_out(page: Page, name: str) -> Locator:
    """Use up the week's credits, and one more; returns the notice that says so."""
    spend(page, "text", 50)
    expect(said(page, "text")).to_have_text("Done, 50 credits spent.")
    spend(page, name)
    notice = sample(page, name).locator("credits-notice")
    expect(notice).to_contain_text("used all your")
    return notice


def step(page: Page) -> Locator:
    return page.locator("[data-step][aria-current]")


def test_the_whole_story_in_two_minutes(page, enter, organization, screenshot):
    enter(page)
    expect(step(page)).to_contain_text("Spend")
    screenshot("playground")
    spend(page, "text")
    expect(sample(page, "text").get_by_role("textbox", name="Text")).to_contain_text("Meet the")
    expect(step(page)).to_contain_text("Run out")
    spend(page, "alt-text", 10)
    expect(sample(page, "alt-text").locator("textarea")).to_have_value(
        "Red bicycle by the sea, mostly light blue and beige"
    )
    spend(page, "boxes")
    expect(sample(page, "boxes").locator("[data-row]")).to_have_count(4)
    spend(page, "background")
    expect(said(page, "background")).to_contain_text("Done")
    screenshot("playground-spent")
    for quantity in (10, 10, 10, 1, 1, 1, 1, 1, 1, 1):
        spend(page, "text", quantity)
        expect(said(page, "text")).to_contain_text("Done")
    assert sum(organization.spends.values_list("credits", flat=True)) == 50

    spend(page, "text")
    notice = sample(page, "text").locator("credits-notice")
    expect(notice).to_contain_text("used all your Amplience credits")
    expect(step(page)).to_contain_text("Top up")
    call = page.locator("[data-calls] li").first
    expect(call).to_contain_text("402")
    expect(call).to_contain_text("Out of credits")
    expect(call).to_contain_text('"code": "out_of_credits"')
    screenshot("playground-out-of-credits")

    with page.context.expect_page() as opened:
        notice.get_by_role("link", name="Top up").click()
    shop = opened.value
    shop.get_by_role("button", name="Buy 500 credits").click()
    pay(shop)
    expect(shop.get_by_role("heading", level=1)).to_have_text("500 credits added")
    shop.close()
    # A headless browser takes all its tabs for looked at, so it tells of no return.
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(step(page)).to_contain_text("Go on")
    expect(notice.get_by_role("link")).to_be_hidden()
    screenshot("playground-refilled")
    spend(page, "text")
    expect(page.get_by_text("That is the whole story")).to_be_visible()
    expect(notice).not_to_have_attribute("state", re.compile("."), timeout=15_000)
    screenshot("playground-told")
    assert organization.spends.count() == 15


def test_the_rich_text_is_written_by_hand_without_credits(page, enter):
    enter(page)
    run_out(page, "text")
    card = sample(page, "text")
    editor = card.get_by_role("textbox", name="Text")
    editor.click()
    page.keyboard.press("Control+A")
    card.get_by_role("button", name="Bold").click()
    expect(card.get_by_role("button", name="Bold")).to_have_attribute("aria-pressed", "true")
    page.keyboard.type("By hand")
    card.get_by_role("button", name="Italic").click()
    page.keyboard.type(" too")
    expect(editor).to_have_text("By hand too")
    expect(editor.locator("b").first).to_contain_text("By hand")
    expect(editor.locator("i")).to_have_text(re.compile("too"))
    expect(said(page, "text")).to_contain_text("Go on by hand")


def test_suggestions_are_taken_by_hand(page, enter):
    enter(page)
    spend(page, "text", 10)
    card = sample(page, "text")
    card.get_by_role("button", name="Here it is, the").first.click()
    expect(card.get_by_role("textbox", name="Text")).to_contain_text("Here it is, the")


def test_alt_text_is_written_by_hand_without_credits(page, enter):
    enter(page)
    run_out(page, "alt-text")
    card = sample(page, "alt-text")
    card.get_by_role("button", name="two-lemons-on-a-plate.svg").click()
    expect(card.locator("[data-file-name]")).to_have_text("two-lemons-on-a-plate.svg")
    field = card.locator("textarea")
    field.fill("Two lemons")
    expect(field).to_have_value("Two lemons")


def test_a_picture_of_ones_own_gets_its_alt_text(page, enter, tmp_path):
    path = tmp_path / "IMG_1234-old_boat.png"
    Image.new("RGB", (30, 20), (52, 112, 190)).save(path)
    (tmp_path / "notes.png").write_text("no picture")
    enter(page)
    card = sample(page, "alt-text")
    card.locator("input[type=file]").set_input_files(path)
    expect(card.locator("[data-file-name]")).to_have_text(path.name)
    spend(page, "alt-text")
    expect(card.locator("textarea")).to_have_value("Old boat, with much blue")
    card.locator("input[type=file]").set_input_files(tmp_path / "notes.png")
    expect(said(page, "alt-text")).to_contain_text("can’t be read")


def test_boxes_are_drawn_moved_named_and_removed_by_hand_without_credits(page, enter):
    enter(page)
    run_out(page, "boxes")
    card = sample(page, "boxes")
    picture = card.locator("canvas").bounding_box()
    page.mouse.move(picture["x"] + 20, picture["y"] + 20)
    page.mouse.down()
    page.mouse.move(picture["x"] + 120, picture["y"] + 90, steps=4)
    page.mouse.up()
    box = card.get_by_role("button", name="Box 1")
    drawn = box.bounding_box()
    assert abs(drawn["width"] - 100) < 4
    page.mouse.move(drawn["x"] + 50, drawn["y"] + 40)
    page.mouse.down()
    page.mouse.move(drawn["x"] + 80, drawn["y"] + 60, steps=4)
    page.mouse.up()
    moved = box.bounding_box()
    assert abs(moved["x"] - drawn["x"] - 30) < 4
    card.get_by_label("Name of product 1").fill("Lamp")

    card.get_by_role("button", name="Add a box").click()
    added = card.get_by_role("button", name="Box 2")
    expect(added).to_be_focused()
    before = added.bounding_box()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    after = added.bounding_box()
    assert after["x"] > before["x"]
    assert after["height"] > before["height"]
    page.keyboard.press("Delete")
    expect(card.locator("[data-row]")).to_have_count(1)
    card.get_by_role("button", name="Remove product 1").click()
    expect(card.locator("[data-row]")).to_have_count(0)


def test_detecting_again_keeps_what_was_done_by_hand(page, enter):
    enter(page)
    card = sample(page, "boxes")
    spend(page, "boxes")
    expect(card.locator("[data-row]")).to_have_count(4)
    card.get_by_label("Name of product 1").fill("Sofa")
    spend(page, "boxes")
    expect(card.locator("[data-row]")).to_have_count(5)
    expect(card.get_by_label("Name of product 1")).to_have_value("Sofa")


def test_a_background_is_taken_out_by_hand_without_credits(page, enter):
    enter(page)
    run_out(page, "background")
    card = sample(page, "background")
    canvas = card.locator("canvas")
    assert canvas.evaluate(COUNT_CLEAR) == 0
    canvas.click(position={"x": 5, "y": 5})
    clear = canvas.evaluate(COUNT_CLEAR)
    assert clear > 50_000
    card.get_by_label("Tolerance").fill("60")
    assert canvas.evaluate(COUNT_CLEAR) > clear
    card.get_by_role("button", name="Undo").click()
    assert canvas.evaluate(COUNT_CLEAR) == 0


def test_where_the_balance_is_shown_each_spend_says_what_is_left(page, enter, organization):
    organization.show_balance = True
    organization.save()
    enter(page)
    expect(page.locator("[data-left]")).to_be_hidden()
    spend(page, "boxes")
    expect(page.locator("[data-left]")).to_have_text("49 credits left")


def test_where_it_is_hidden_nothing_tells_it(page, enter):
    enter(page)
    spend(page, "boxes")
    expect(page.locator("[data-calls] li").first).to_contain_text("Spent: 1")
    expect(page.locator("[data-left]")).to_be_hidden()
    assert '"balance"' not in page.locator("[data-calls]").inner_text()


def test_no_secret_is_in_the_log(page, enter):
    enter(page)
    spend(page, "boxes")
    expect(page.locator("[data-calls] li").first).to_contain_text("Spent: 1")
    shown = page.locator("[data-calls]").text_content()
    assert "Authorization: Bearer ct_" in shown
    assert not re.search(r"ct_\S{12}", shown)


def test_an_owner_who_closed_it_is_told_what_to_do(page, enter, organization, screenshot):
    enter(page)
    revoke_key(organization.api_keys.get(), now=timezone.now())
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("The playground rests")
    screenshot("playground-closed")


def test_it_opens_with_at_most_60_kilobytes_and_sends_all_of_it_in_half_of_that(page, enter):
    sizes: dict[str, tuple[int, int]] = {}

    def weigh(response) -> None:
        if "/static/" in response.url:
            body = response.body()
            sizes[response.url] = len(body), len(gzip.compress(body))

    page.on("response", weigh)
    enter(page)
    page.wait_for_load_state("networkidle")
    assert any("credits.js" in url for url in sizes)
    assert sum(plain for plain, _ in sizes.values()) <= 60_000, sizes
    sample(page, "background").scroll_into_view_if_needed()
    expect(sample(page, "background").locator("[type=submit]")).to_be_enabled()
    page.wait_for_load_state("networkidle")
    assert any("boxes.js" in url for url in sizes)
    assert sum(packed for _, packed in sizes.values()) <= 30_000, sizes


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [None, PHONE])
def test_it_looks_well_everywhere(open_page, enter, color_scheme, viewport):
    options = {"viewport": viewport} if viewport else {}
    page = open_page(color_scheme=color_scheme, **options)
    enter(page)
    spend(page, "background")
    spend(page, "boxes")
    spend(page, "alt-text", 10)
    expect(sample(page, "alt-text").locator("[data-choices] li")).to_have_count(10)
    spend(page, "text", 50)
    expect(sample(page, "text").locator("credits-notice")).to_contain_text("used all your")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
