"""The sentences customers read, made from the words staff chose."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from credits.ledger import next_refill_at
from credits.models import Wording


@dataclass(frozen=True, slots=True)
class NextRefill:
    """When the next free credits come, and how many."""

    at: datetime
    credits: int


def next_refill(weekly_credits: int, *, now: datetime) -> NextRefill | None:
    """The next Monday's bundle, or None for an organization that gets none."""
    return NextRefill(next_refill_at(now), weekly_credits) if weekly_credits else None


def out_of_credits(
    weekly_credits: int,
    *,
    now: datetime,
    too_few: tuple[int, int] | None = None,
    tell: Callable[[datetime], str] | None = None,
    quote: Callable[[str], str] = str,
) -> str:
    """The message for an organization that has run out.

    With `too_few`, for one that may see its balance, it says how many credits were required and
    how many are left. A page may `tell` the moment in its own way, and `quote` for HTML what staff
    wrote.
    """
    wording = Wording.current()
    refill = next_refill(weekly_credits, now=now)
    sentences = [_too_few(*too_few) if too_few else wording.out_of_credits_message]
    words = {"credits_name": quote(wording.credits_name), "weekly_credits": "", "next_refill": ""}
    if refill:
        sentences.append(wording.next_refill_message)
        words["weekly_credits"] = number_format(refill.credits, force_grouping=True)
        words["next_refill"] = (tell or _spoken)(refill.at)
    return Wording.PLACEHOLDER.sub(lambda match: words[match[1]], quote(" ".join(sentences)))


def _too_few(required: int, left: int) -> str:
    sentence = _("This takes %(required)s {credits_name}, more than the %(left)s left.")
    numbers = {"required": required, "left": left}
    return sentence % {
        name: number_format(number, force_grouping=True) for name, number in numbers.items()
    }


def _spoken(at: datetime) -> str:
    # Translators: a date and a time as Django's date filter writes them.
    return date_format(at.astimezone(UTC), _(r"l, F j \a\t H:i \U\T\C"))
