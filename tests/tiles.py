"""The tiles on the first page of the admin, as tests read them."""

import html
import re


def tile(page: str, title: str) -> tuple[str, str, str]:
    """How urgent a tile looks, what it says, and where it leads; an error where there is none."""
    found = re.search(
        r'<(?:a href="([^"]*)"|div) class="tile is-(\w+)">\s*<span class="name">'
        + title
        + r"</span>\s*<strong[^>]*>(.*?)</strong>",
        page,
    )
    return found[2], found[3], html.unescape(found[1] or "")
