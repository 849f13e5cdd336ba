"""Files of adjustments: what staff upload, the template for it, and the result."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from credits.models import BulkAdjustment, BulkAdjustmentRow
from credits.spreadsheets import csv_text, without_guard

COLUMNS = ("organization", "credits", "reason", "text", "expires_at", "ticket", "reference")
REQUIRED = ("organization", "credits", "reason", "reference")
RESULT_COLUMNS = ("outcome", "why", "balance_after")
SEPARATORS = ",;\t"
MAX_ROWS = 10_000
MAX_BYTES = 2_000_000

TEMPLATE_ROWS = (
    ("org_0123456789abcdef", "100", "goodwill", "Sorry for Friday", "", "", "friday-1"),
    (
        "org_0123456789abcdef",
        "-20",
        "correction",
        "Given twice",
        "",
        "https://tickets.example.com/4711",
        "ticket-4711",
    ),
    ("org_0123456789abcdef", "500", "promotion", "", "2030-01-31T00:00:00Z", "", "spring-2029"),
)


class FileError(Exception):
    """The file cannot be read as adjustments; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it stands in the file: the text of each column, and of cells beyond the last."""

    number: int
    cells: dict[str, str]
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    name: str
    sha256: str
    lines: list[Line]


def read(name: str, content: bytes) -> File:
    """The rows of a CSV file in UTF-8, with commas, semicolons or tabs between the columns.

    Empty rows are left out, and so are the columns that a result file has more; a `'` that keeps a
    spreadsheet from taking a cell for a formula goes. Raises FileError for anything else.
    """
    if len(content) > MAX_BYTES:
        raise FileError(f"The file is larger than {MAX_BYTES // 1_000_000} MB; split it.")
    try:
        rows = _rows(_text(content))
        columns = _columns(next(rows, (1, []))[1])
        lines = [_line(number, columns, row) for number, row in rows]
    except csv.Error as error:
        raise FileError(f"This is not CSV as programs write it: {error}.") from error
    if not lines:
        raise FileError("The file has no rows below the names of the columns.")
    return File(name, sha256(content).hexdigest(), lines)


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(
            "The file is not in UTF-8. In a spreadsheet, save it as “CSV UTF-8”."
        ) from error
    if "\0" in text:
        raise FileError("The file is not text: it has zero bytes. Save it as CSV.")
    return text


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the number of its first line."""
    header = text.lstrip().partition("\n")[0]
    separator = max(SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number, count = 1, 0
    for row in reader:
        if any(cell.strip() for cell in row):
            if count > MAX_ROWS:
                raise FileError(f"The file has more than {MAX_ROWS:,} rows; split it.")
            yield number, row
            count += 1
        number = reader.line_num + 1


def _columns(header: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS + RESULT_COLUMNS]
    if missing:
        raise FileError(
            f"The first line names the columns, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing there. Start from the template."
        )
    if unknown:
        names = ", ".join(name[:50] or "one without a name" for name in unknown[:5])
        raise FileError(f"There are columns nobody knows: {names}. Remove or rename them.")
    if len(set(columns)) < len(columns):
        raise FileError("A column is named twice in the first line.")
    return columns


def _line(number: int, columns: list[str], row: list[str]) -> Line:
    texts = [without_guard(cell.strip()).strip() for cell in row]
    found = dict(zip(columns, texts, strict=False))
    extra = tuple(text for text in texts[len(columns) :] if text)
    return Line(number, {name: found.get(name, "") for name in COLUMNS}, extra)


def template() -> str:
    return csv_text([COLUMNS, *TEMPLATE_ROWS])


def result(bulk: BulkAdjustment) -> str:
    """Every row as it was uploaded, with what became of it."""
    rows = (_result_row(row) for row in bulk.rows.all())
    return csv_text([COLUMNS + RESULT_COLUMNS, *rows])


def _result_row(row: BulkAdjustmentRow) -> list[object]:
    # A number stays one, so that spreadsheets can add it up.
    shown = row.cells if row.credits is None else {**row.cells, "credits": row.credits}
    outcome = row.get_outcome_display()
    return [*(shown[name] for name in COLUMNS), outcome, row.why_refused, row.balance_after]
