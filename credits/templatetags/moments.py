"""Moments on pages: written in UTC, and told in the reader's own time zone by `moments.js`."""

from datetime import UTC, datetime

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

register = template.Library()


def _formats() -> dict[str, str]:
    """How each style is written in UTC; its twins are in credits/static/credits/moments.js."""
    return {
        # Translators: dates and times as Django's date filter writes them.
        "day": _("M j, Y"),
        "minute": _(r"M j, Y, H:i \U\T\C"),
        "weekday": _(r"l H:i \U\T\C"),
    }


@register.simple_tag
def moment(at: datetime, style: str = "minute") -> SafeString:
    """A moment as a `<time>`: `{% moment refill_at "weekday" %}`, or "day", or "minute".

    Where scripts run it is told in the reader's zone, as in "Monday 01:00 your time", and in UTC
    only to a pointer that rests on it.
    """
    at, formats = at.astimezone(UTC), _formats()
    # Translators: {} is a weekday and a time, such as Monday 01:00.
    yours = _("{} your time") if style == "weekday" else "{}"
    return format_html(
        '<time datetime="{}" data-moment="{}" data-yours="{}" title="{}">{}</time>',
        at.isoformat(),
        style,
        yours,
        date_format(at, formats["minute"]),
        date_format(at, formats[style]),
    )
