"""Moments on pages: written in UTC, and told in the reader's own time zone by `moments.js`."""

from datetime import UTC, datetime

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# Each with its twin in credits/static/credits/moments.js.
STYLES = {"day": "j M Y", "minute": "j M Y, H:i", "weekday": "l H:i"}


@register.simple_tag
def moment(at: datetime, style: str = "minute") -> SafeString:
    """A moment as a `<time>`, in one of STYLES: `{% moment refill_at "weekday" %}`.

    >>> moment(datetime(2026, 11, 30, tzinfo=UTC), "weekday")
    '<time datetime="2026-11-30T00:00:00+00:00" data-moment="weekday">Monday 00:00 UTC</time>'
    """
    at = at.astimezone(UTC)
    text = date_format(at, STYLES[style])
    zone = "" if style == "day" else " UTC"
    return format_html(
        '<time datetime="{}" data-moment="{}">{}{}</time>', at.isoformat(), style, text, zone
    )
