"""Writing JSON by hand, as DRF's renderer does it."""

import json
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# Ends of lines to JavaScript, and so not for the inside of a string.
_ESCAPED = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029"})


def render(body: dict[str, Any]) -> bytes:
    """A document of text, numbers, lists and objects as JSON."""
    return _encode(body).translate(_ESCAPED).encode()
