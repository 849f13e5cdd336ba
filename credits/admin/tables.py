"""Rows of facts beside a form, for unfold's table component."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.formats import localize
from django.utils.html import format_html


def table(headers: Iterable[str], rows: Iterable[Iterable[Any]]) -> dict[str, Any]:
    return {"headers": list(headers), "rows": [[_cell(cell) for cell in row] for row in rows]}


def number(value: int, sign: str = "") -> str:
    return format_html('<span class="number">{}</span>', format(value, f"{sign},"))


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_html('<span class="moment">{}</span>', localize(value))
    return "-" if value in (None, "") else value
