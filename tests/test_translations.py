"""Every text that customers read goes through gettext: here each comes back between marks."""

import re
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import mail as outbox
from django.db.models import Value
from django.db.models.functions import Concat
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation
from django.utils.translation import get_language
from walking import clients, furnish, stops

from credits import tasks
from credits.models import Action, ApiKey, Service, Wording
from topups.models import Plan

OPEN, CLOSE = "⟦", "⟧"
# Data says so itself, where it is not an address or the code of an action.
DATA = re.compile(r"«[^»]*»|[^\s⟦⟧]+@[^\s⟦⟧]+|https?://[^\s⟦⟧]+|[a-z-]+\.[a-z]+")
AVATAR = re.compile(r'<span class="avatar".*?</span>')
ATTRIBUTES = ("aria-label", "title", "placeholder", "alt", "data-label", "data-title", "data-yours")
UNREAD = ("script", "style", "code")
# These speak to whoever develops, in English.
ENGLISH = ("/sandbox/", "/problems/", "/docs/api/", "/docs/javascript/", "/docs/python/")
# Pages that are only shown when something is wrong.
RARE = (
    "400.html",
    "403_csrf.html",
    "429.html",
    "500.html",
    "topups/leaving.html",
    "topups/refused.html",
    "topups/unavailable.html",
)


class Reader(HTMLParser):
    """Collects what a page says, in its order, and then what its attributes say."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[str] = [""]
        self.unread = 0
        self.feed(AVATAR.sub("", html))

    def handle_starttag(self, tag, attributes):
        self.unread += tag in UNREAD
        self.said += [value for name, value in attributes if name in ATTRIBUTES and value]

    def handle_endtag(self, tag):
        self.unread -= tag in UNREAD

    def handle_data(self, data):
        if not self.unread:
            self.said[0] += data


def unmarked(text: str) -> list[str]:
    """The words outside of all marks that are not data."""
    outside, depth = "", 0
    for character in DATA.sub(" ", text):
        depth -= character == CLOSE
        outside += " " if depth or character in (OPEN, CLOSE) else character
        depth += character == OPEN
    return re.findall(r"[^\W\d_]+", outside)


def untranslated(html: str) -> list[str]:
    return [word for text in Reader(html).said for word in unmarked(text)]


@pytest.fixture
def pseudo(monkeypatch) -> None:
    """A language that is English between marks."""

    def gettext(message: str) -> str:
        return f"{OPEN}{message}{CLOSE}" if message else ""

    def ngettext(singular: str, plural: str, number: int) -> str:
        return gettext(singular if number == 1 else plural)

    monkeypatch.setattr(translation._trans, "gettext", gettext, raising=False)
    monkeypatch.setattr(translation._trans, "ngettext", ngettext, raising=False)
    monkeypatch.setattr(
        translation._trans, "pgettext", lambda context, message: gettext(message), raising=False
    )
    monkeypatch.setattr(
        translation._trans,
        "npgettext",
        lambda context, *messages: ngettext(*messages),
        raising=False,
    )


@pytest.fixture
def ids(site, worker, pseudo) -> dict[str, str]:
    """What there is to see, all of it data."""
    Wording.objects.update(
        credits_name="«sparks»",
        out_of_credits_message="«You have none.»",
        next_refill_message="«They come» {next_refill}",
    )
    Plan.objects.update(name="«plan»")
    Action.objects.update(name="«action»")
    Service.objects.update(name=Concat(Value("«"), "name", Value("»")))
    ids = furnish("«Fern & Field»", "«Zebra Lane»")
    ApiKey.objects.update(name="«key»")
    return ids


def test_every_text_on_every_page_is_translated(ids, settings):
    visitors = clients()
    for stop, path in stops(ids):
        if not path.startswith(ENGLISH):
            response = visitors[stop.visitor].get(path, follow=True)
            assert response.status_code == stop.status, path
            assert untranslated(response.text) == [], path
    settings.SIGNUP_OPEN = True
    for path in ("/accounts/login/", "/accounts/signup/"):
        assert untranslated(visitors["nobody"].get(path).text) == [], path


def test_forms_that_were_filled_in_wrongly_are_translated(ids):
    visitors = clients()
    for visitor, path, data in (
        ("nobody", "/accounts/login/", {"login": "x", "password": "x"}),
        ("nobody", "/accounts/password/reset/", {"email": ""}),
        ("owner", "/accounts/password/change/", {"oldpassword": "x", "password1": "1"}),
        ("owner", "/top-up/", {"plan": "0", "organization": "x"}),
        ("owner", "/top-up/", {}),
    ):
        page = visitors[visitor].post(path, data).content.decode()
        assert "error" in page, path
        assert untranslated(page) == [], path


def test_pages_that_are_rarely_shown_are_translated(pseudo, db):
    Wording.objects.update(credits_name="«sparks»")
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    for template in RARE:
        page = render_to_string(template, {"url": "https://x.test"}, request=request)
        assert untranslated(page) == [], template


def test_emails_are_translated(ids, settings):
    clients()["nobody"].post("/accounts/password/reset/", {"email": "owner@example.com"})
    clients()["nobody"].post("/accounts/password/reset/", {"email": "unknown@example.com"})
    tasks.send_notices()
    assert len(outbox.outbox) >= 5
    for message in outbox.outbox:
        assert unmarked(f"{message.subject}\n{message.body}") == [], message.body
        for html, _ in message.alternatives:
            assert untranslated(html) == [], message.subject


def test_a_page_says_which_language_it_is_in(client, db):
    page = client.get("/accounts/login/", headers={"Accept-Language": "de, en;q=0.5"})
    assert '<html lang="en">' in page.text
    assert page.headers["Content-Language"] == get_language() == "en"
