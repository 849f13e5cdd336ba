from django import template
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from credits import wording
from credits.templatetags.moments import moment

register = template.Library()


@register.simple_tag
def out_of_credits_message(weekly_credits: int) -> SafeString:
    """What an organization reads that has run out, with the next refill as a `moment`."""
    text = wording.out_of_credits(
        weekly_credits,
        now=timezone.now(),
        tell=lambda at: moment(at, "weekday"),
        quote=escape,
    )
    return mark_safe(text)  # noqa: S308 each part of it is quoted
