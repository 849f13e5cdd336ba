"""CSV that programs read as it is and that spreadsheets cannot be tricked by."""

import csv
import io
from collections.abc import Iterable
from typing import Any

# What makes a spreadsheet take a cell for a formula, in full width too, and the quotation mark that
# keeps it from that (https://owasp.org/www-community/attacks/CSV_Injection).
FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20'")


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """The rows as CSV (RFC 4180), every field in quotes.

    Text that a spreadsheet would take for a formula gets a `'` in front, and so does text that
    begins with one: a program drops one leading `'` to read the text as it was.

    >>> csv_text([["=1+1", 5]])
    '"\\'=1+1","5"\\r\\n'
    """
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
    writer.writerows([_inert(value) for value in row] for row in rows)
    return lines.getvalue()


def _inert(value: Any) -> Any:
    is_formula = isinstance(value, str) and value.startswith(FORMULA_STARTS)
    return f"'{value}" if is_formula else value


def without_guard(text: str) -> str:
    """A cell of `csv_text` as it was before a `'` was put in front of it."""
    is_guarded = text.startswith("'") and text[1:].startswith(FORMULA_STARTS)
    return text[1:] if is_guarded else text
