from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def code_spans(text: str) -> SafeString:
    """Show what stands between backticks as code, as in `GET /api/v1/actions`."""
    pieces = enumerate(text.split("`"))
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", piece) if index % 2 else piece,)
            for index, piece in pieces
        ),
    )
