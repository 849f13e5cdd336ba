"""The guides for those who build on the API: `docs/*.md` made into HTML for this server."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from markdown_it import MarkdownIt
from markdown_it.token import Token

DOCS = settings.BASE_DIR / "docs"
# What the texts call the server; each server puts its own address there.
PLACEHOLDER = "https://credits.example.com"
CLIENT = "credits_client.py"


@dataclass(frozen=True, slots=True)
class Guide:
    """A text in `docs/` that is a page too, at `/docs/<slug>/`."""

    slug: str
    title: Promise
    summary: Promise


GUIDES = {
    guide.slug: guide
    for guide in (
        Guide(
            "api",
            _("API guide"),
            _("Your first spend in five minutes, recipes, every call and every error."),
        ),
        Guide(
            "javascript",
            _("JavaScript"),
            _("credits.js for web pages: spends, safe retries and the out-of-credits notice."),
        ),
        Guide(
            "python",
            _("Python"),
            _("One file without dependencies that spends, holds and retries for your server."),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Section:
    """A heading that the table of contents leads to."""

    anchor: str
    title: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A guide as HTML, with its second-level headings."""

    html: SafeString
    sections: tuple[Section, ...]


@cache
def render(guide: Guide, *, base_url: str) -> Rendered:
    """A guide's text as HTML, its examples addressed to `base_url`.

    Raw HTML in it is shown, not run. What is wide can be scrolled, by keyboard too.
    """
    text = _addressed(f"{guide.slug}.md", base_url)
    tokens = _markdown.parse(text)[3:]  # Without the first heading: the page has one.
    sections = _anchor_headings(tokens)
    for token in tokens:
        _point_links_to_pages(token.children or ())
    html: str = _markdown.renderer.render(tokens, _markdown.options, {})
    # Safe, as markdown-it escapes what is no markdown of its own.
    return Rendered(mark_safe(html), sections)  # noqa: S308


@cache
def python_client(*, base_url: str) -> str:
    """The source of the Python client, which talks to `base_url` if not told otherwise."""
    return _addressed(CLIENT, base_url)


def _addressed(name: str, base_url: str) -> str:
    return (DOCS / name).read_text().replace(PLACEHOLDER, base_url)


def _anchor_headings(tokens: Sequence[Token]) -> tuple[Section, ...]:
    sections = []
    for heading, content in pairwise(tokens):
        if heading.type == "heading_open":
            title = content.content.replace("`", "")
            heading.attrSet("id", slugify(title))
            if heading.tag == "h2":
                sections.append(Section(slugify(title), title))
    return tuple(sections)


def _point_links_to_pages(tokens: Sequence[Token]) -> None:
    """Links from file to file, which work where the texts lie, become links from page to page."""
    for token in tokens:
        href = str(token.attrGet("href") or "")
        found = re.fullmatch(r"(\w+)\.md(#.*)?", href)
        if found and found[1] in GUIDES:
            token.attrSet("href", f"/docs/{found[1]}/{found[2] or ''}")
        elif href == CLIENT:
            token.attrSet("href", f"/docs/python/{CLIENT}")


def _scrollable_table(*_: Any) -> str:
    return '<div class="table-scroll" tabindex="0"><table>\n'


def _end_of_table(*_: Any) -> str:
    return "</table></div>\n"


def _scrollable_code(_: Any, tokens: Sequence[Token], index: int, *__: Any) -> str:
    return format_html('<pre tabindex="0"><code>{}</code></pre>\n', tokens[index].content)


_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
_markdown.add_render_rule("table_open", _scrollable_table)
_markdown.add_render_rule("table_close", _end_of_table)
_markdown.add_render_rule("fence", _scrollable_code)
