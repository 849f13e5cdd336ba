"""Web origins (RFC 6454): which scheme, host and port a page comes from."""

import re
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MAX_ORIGIN_LENGTH = 255
# What browsers send for pages without an origin to name, such as sandboxed frames.
OPAQUE = "null"

_ORIGIN = re.compile(
    r"(https?)://([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?/?"
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def normalize(text: str) -> str:
    """An origin as browsers write it: lower case, and without its scheme's own port.

    Takes `https://host`, `http://host:port` and the word `null`. Raises ValidationError for
    anything else: a path, a wildcard, a name that is not in its ASCII form.
    """
    origin = text.strip().lower()
    if origin == OPAQUE:
        return origin
    match = _ORIGIN.fullmatch(origin)
    if not match or len(origin) > MAX_ORIGIN_LENGTH or not _is_port(match["port"]):
        raise ValidationError(
            _(
                "“%(origin)s” is not a web origin. Write it like https://shop.example: scheme, "
                "host and perhaps a port, without a path or a wildcard."
            ),
            params={"origin": text.strip()[:100]},
        )
    return of(origin)


def validate(text: str) -> None:
    """Refuse what is not an origin in its normal form; for model fields."""
    if normalize(text) != text:
        raise ValidationError(
            _("Write the origin as browsers do: %(origin)s."), params={"origin": normalize(text)}
        )


def is_normal(text: str) -> bool:
    """Whether a browser may have sent this as its `Origin`."""
    try:
        return normalize(text) == text
    except ValidationError:
        return False


def of(url: str) -> str:
    """The origin of an address of ours.

    >>> origins.of("https://Credits.example:443/top-up/")
    'https://credits.example'
    """
    parts = urlsplit(url.lower())
    return f"{parts.scheme}://{parts.netloc.removesuffix(_DEFAULT_PORTS[parts.scheme])}"


def _is_port(digits: str | None) -> bool:
    return digits is None or 1 <= int(digits) <= 65535
