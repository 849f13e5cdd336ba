"""What an adjustment may ask for, on a form and in a row of a file alike."""

from datetime import datetime
from typing import Any

from django import forms

from credits import ledger
from credits.counting import counted
from credits.models import Adjustment
from credits.models.adjustments import MAX_TICKET_LENGTH, validate_ticket

OTHER = Adjustment.Reason.OTHER


class TicketField(forms.CharField):
    """The address of a ticket, or its number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False, max_length=MAX_TICKET_LENGTH, validators=[validate_ticket], **kwargs
        )


def problems(asked: dict[str, Any], *, now: datetime) -> dict[str, str]:
    """What is wrong with fields that are each right by themselves, by field."""
    found = {}
    credits, expires_at = asked.get("credits"), asked.get("expires_at")
    if credits == 0:
        found["credits"] = "Write how many credits to give or take; 0 does nothing."
    if asked.get("reason") == OTHER and not asked.get("text"):
        found["text"] = "Say why, as the reason is another one."
    if expires_at and credits is not None and credits < 0:
        found["expires_at"] = "Only credits that are given can lapse; leave it empty."
    elif expires_at and expires_at <= now:
        found["expires_at"] = "This moment has passed; choose one to come."
    return found


def refusal(error: ledger.LedgerError) -> dict[str, str]:
    """Why the ledger refused an adjustment, by field."""
    match error:
        case ledger.OutOfCredits():
            return {"credits": at_most(error.available)}
        case ledger.AlreadyLapsed():
            return {"expires_at": "The ledger is past this moment already; choose a later one."}
        case ledger.IdempotencyConflict():
            return {"reference": USED_BEFORE}
    raise error


USED_BEFORE = "This organization has another adjustment with this reference; choose a new one."


def at_most(available: int) -> str:
    return f"At most {counted(available)} can be taken."
