"""Adjustments by hand: what they may ask for, and many of them from one file."""

from credits.adjustments.bulk import (
    HasRefusedRows,
    abandoned,
    confirm,
    run,
    totals,
    upload,
)
from credits.adjustments.files import (
    MAX_BYTES,
    MAX_ROWS,
    File,
    FileError,
    read,
    result,
    template,
)
from credits.adjustments.rules import TicketField, problems, refusal

__all__ = [
    "MAX_BYTES",
    "MAX_ROWS",
    "File",
    "FileError",
    "HasRefusedRows",
    "TicketField",
    "abandoned",
    "confirm",
    "problems",
    "read",
    "refusal",
    "result",
    "run",
    "template",
    "totals",
    "upload",
]
