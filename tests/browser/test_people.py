"""Members and keys in a real browser: from the invitation to the first day as a member."""

import re

import pytest
from django.core import mail
from playwright.sync_api import Page, expect
from shopping import EMAIL, PASSWORD, sign_in

from credits import tasks
from credits.access import create_key
from credits.models import Membership, Organization, User

NINA = "nina@example.com"


@pytest.fixture
def organization(site) -> Organization:
    """Owned by whoever signs in."""
    organization = Organization.objects.create(name="Fern & Field")
    owner = User.objects.create_user(EMAIL, PASSWORD)
    Membership.objects.create(organization=organization, user=owner, role=Membership.Role.OWNER)
    return organization


def invite(page: Page, email: str = NINA) -> str:
    """Invite somebody, and return the link in their mailbox."""
    page.goto("/members/")
    page.get_by_label("Email address").fill(email)
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("status")).to_have_text(f"{email} is invited.")
    tasks.send_mail()
    (message,) = (message for message in mail.outbox if message.to == [email])
    link = re.search(r"https?://\S+/invitations/\S+", message.body)
    assert link is not None
    return link[0]


def test_an_invited_person_makes_an_account_and_is_a_member(
    open_page, page, organization, screenshot
):
    sign_in(page)
    link = invite(page)
    screenshot("members-invited")
    ninas = open_page()
    ninas.goto(link)
    expect(ninas.get_by_role("heading", level=1)).to_have_text("Join Fern & Field")
    expect(ninas.get_by_label("Your email address")).to_have_value(NINA)
    ninas.get_by_label("Password", exact=True).fill("seven-green-kites-4")
    ninas.get_by_label("Password (again)").fill("seven-green-kites-4")
    ninas.get_by_role("button", name="Create your account").click()
    expect(ninas.get_by_role("status")).to_have_text("Welcome! You now belong to Fern & Field.")
    expect(ninas.get_by_role("link", name="API keys")).to_have_count(0)

    page.reload()
    page.get_by_role("button", name=f"Make {NINA} an owner").click()
    expect(page.get_by_role("status")).to_contain_text("is now: Owner")
    ninas.reload()
    ninas.get_by_role("link", name="API keys").click()
    expect(ninas.get_by_role("heading", level=1)).to_have_text("API keys")

    page.get_by_role("link", name="Activity").click()
    expect(page.get_by_role("listitem").first).to_contain_text(
        f"{EMAIL} changed the role of {NINA} to Owner."
    )
    page.get_by_role("link", name="Members").last.click()
    page.get_by_role("link", name=f"Remove {NINA}").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_have_text(f"{NINA} is removed.")
    ninas.goto("/keys/")
    expect(ninas.get_by_role("heading", level=1)).to_have_text("This page is not for your account")


def test_somebody_with_an_account_signs_in_and_accepts(open_page, page, organization):
    User.objects.create_user(NINA, PASSWORD)
    sign_in(page)
    ninas = open_page()
    ninas.goto(invite(page))
    ninas.get_by_role("link", name="Sign in").click()
    ninas.get_by_label("Email").fill(NINA)
    ninas.get_by_label("Password").fill(PASSWORD)
    ninas.get_by_role("button", name="Sign in").click()
    ninas.get_by_role("button", name="Accept the invitation").click()
    expect(ninas.get_by_role("status")).to_contain_text("Welcome!")


def test_a_key_is_rotated_and_the_new_secret_copied(page, organization, screenshot):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _, old = create_key(name="Production CMS", organization=organization)
    sign_in(page)
    page.goto("/keys/")
    page.get_by_role("link", name="Rotate Production CMS").click()
    screenshot("rotate-key")
    page.get_by_label("1 hour").check()
    page.get_by_role("button", name="Get the new key").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    screenshot("rotated-key")
    new = page.evaluate("navigator.clipboard.readText()")
    assert new != old
    for secret in (old, new):
        answer = page.request.get("/api/v1/actions", headers={"Authorization": f"Bearer {secret}"})
        assert answer.ok
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_text("Replaced")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text(new)
