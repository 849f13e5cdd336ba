"""What became of one spend: who made it, what it took, what came back of it and what of that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from credits.models import ApiKey, Entry, Grant, Refund, Spend, User

RETURNS = (Entry.Kind.REFUND, Entry.Kind.RELEASE)
# In a lapsed grant: spent again of a hold, taken back and frozen may come before what lapses.
_STEPS_TO_LAPSE = 4


@dataclass(slots=True)
class Returned:
    """Credits that went back to one grant, and what was gone again at once.

    `recaptured_credits` of a hold were spent right away. Into a lapsed grant the others lapse, and
    a clawback that is short of them takes them.
    """

    entry: Entry
    recaptured_credits: int = 0
    lapsed_credits: int = 0
    clawed_back_credits: int = 0

    @property
    def grant(self) -> Grant:
        return self.entry.grant

    @property
    def credits(self) -> int:
        """Those that were not spent again."""
        return self.entry.credits - self.recaptured_credits


@dataclass(frozen=True, slots=True)
class GivenBack:
    """One refund, and the grants that its credits returned to."""

    refund: Refund
    returned: tuple[Returned, ...]

    @property
    def actor(self) -> User | None:
        """Who of the staff did it; None for an API key."""
        return self.returned[0].entry.actor

    @property
    def reason(self) -> str:
        return self.returned[0].entry.reason


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a hold ended: `captured` in whole or in part, `released` or `expired`."""

    outcome: str
    at: datetime
    captured_credits: int
    returned: tuple[Returned, ...]


@dataclass(frozen=True, slots=True)
class SpendExplanation:
    """One spend or hold from its making to this day.

    `unit_credits_now` is the action's price today, and `drawn` what each grant gave, in order, as
    entries. `settlement` is None for a spend that was no hold, and for a hold that is still open.
    """

    spend: Spend
    unit_credits_now: int
    drawn: tuple[Entry, ...]
    settlement: Settlement | None
    refunds: tuple[GivenBack, ...]

    @property
    def api_key(self) -> ApiKey | None:
        """The key that made it, itself or by one of its browser tokens; None for none."""
        return self.spend.api_key

    @property
    def is_hold(self) -> bool:
        return self.spend.hold_expires_at is not None


def explain_spend(spend: Spend) -> SpendExplanation:
    """The story of a spend: the key, the prices, the grants drawn, how a hold ended, each refund.

    >>> ledger.explain_spend(spend).drawn[0].credits
    -2
    """
    spend = Spend.objects.select_related("organization", "action__service", "api_key").get(
        pk=spend.pk
    )
    entries = _entries(spend)
    returned = list(_returned(entries))
    first_kind = Entry.Kind.SPEND if spend.hold_expires_at is None else Entry.Kind.HOLD
    return SpendExplanation(
        spend=spend,
        unit_credits_now=spend.action.credits,
        drawn=tuple(entry for entry in entries if entry.kind == first_kind),
        settlement=_settlement(spend, returned),
        refunds=tuple(_refunds(spend, returned)),
    )


def _entries(spend: Spend) -> list[Entry]:
    """The spend's entries and those that tell what lapsed as it came back, in order."""
    entries = list(spend.entries.select_related("grant", "actor").order_by("seq"))
    after = {
        entry.seq + step
        for entry in entries
        if entry.kind in RETURNS
        for step in range(1, _STEPS_TO_LAPSE + 1)
    }
    lapses = Entry.objects.filter(
        spend=None, organization=spend.organization, seq__in=after, kind=Entry.Kind.EXPIRE
    )
    return sorted([*entries, *lapses], key=lambda entry: entry.seq)


def _returned(entries: Sequence[Entry]) -> Iterator[Returned]:
    """What came back to each grant, with what the entries after it took out of that again."""
    last: Returned | None = None
    for entry in entries:
        if entry.kind in RETURNS:
            if last:
                yield last
            last = Returned(entry)
        elif last and _follows(entry, last.entry):
            _take(last, entry)
    if last:
        yield last


def _follows(entry: Entry, came_back: Entry) -> bool:
    same_move = (entry.grant_id, entry.created_at) == (came_back.grant_id, came_back.created_at)
    ends_at = came_back.grant.expires_at
    had_lapsed = ends_at is not None and ends_at <= came_back.created_at
    return same_move and (entry.kind != Entry.Kind.EXPIRE or had_lapsed)


def _take(returned: Returned, entry: Entry) -> None:
    if entry.kind == Entry.Kind.SPEND:
        returned.recaptured_credits -= entry.credits
    elif entry.kind == Entry.Kind.EXPIRE:
        # What else was in the grant may lapse at the same moment, and is no part of this.
        left = returned.credits - returned.clawed_back_credits
        returned.lapsed_credits = min(left, returned.lapsed_credits - entry.credits)
    elif entry.kind in (Entry.Kind.REVOKE, Entry.Kind.FREEZE):
        returned.clawed_back_credits -= entry.credits


def _settlement(spend: Spend, returned: Sequence[Returned]) -> Settlement | None:
    released = tuple(one for one in returned if one.entry.kind == Entry.Kind.RELEASE)
    if not released:
        return None
    return Settlement(
        outcome="captured" if spend.status == Spend.Status.SPENT else spend.status,
        at=released[0].entry.created_at,
        captured_credits=spend.credits - spend.released_credits,
        returned=tuple(one for one in released if one.credits),
    )


def _refunds(spend: Spend, returned: Sequence[Returned]) -> Iterator[GivenBack]:
    """Each refund with its entries: both are in the order in which they were made."""
    waiting = [one for one in returned if one.entry.kind == Entry.Kind.REFUND]
    for refund in spend.refunds.select_related("api_key").order_by("refunded_after"):
        mine: list[Returned] = []
        while sum(one.credits for one in mine) < refund.credits:
            mine.append(waiting.pop(0))
        yield GivenBack(refund, tuple(mine))
