"""Writing JSON by hand, as DRF's renderer does it."""

from typing import Any

import orjson


def render(body: dict[str, Any]) -> bytes:
    """A document as JSON; a moment must be in UTC."""
    text = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    # Ends of lines to JavaScript, and so not for the inside of a string.
    return text.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
