"""Explanations as aligned text, for a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from credits.counting import counted
from credits.ledger import Explanation, GrantExplanation, SpendExplanation
from credits.ledger.spend_stories import GivenBack, Returned, Settlement
from credits.models import Entry, Grant, User

GAP = "  "


def balance_lines(explanation: Explanation) -> Iterator[str]:
    """An organization's balance at a moment: the total, then each grant with its entries."""
    organization, balance = explanation.organization, explanation.balance
    yield f"{organization} ({organization.public_id})"
    yield f"{counted(balance.total)} at {moment(explanation.at)}"
    yield ""
    kinds = [(Grant.Kind(kind).label, f"{left:,}") for kind, left in balance.by_kind.items()]
    yield from aligned(kinds, right={1})
    if bundle := explanation.bundle:
        yield ""
        yield f"Weekly bundle of {counted(bundle.credits)}, not touched yet by then"
        yield f"{GAP}{written(bundle.written_at)}"
    for one in explanation.grants:
        yield from _grant_lines(one)
    if explanation.more_grants:
        yield ""
        yield f"And {explanation.more_grants:,} grants with {counted(explanation.more_credits)}"
    if explanation.ended:
        yield ""
        yield "Used up or lapsed since Monday"
        for one in explanation.ended:
            yield from _grant_lines(one)


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def written(at: datetime | None) -> str:
    """When an untouched bundle was written down."""
    if at:
        return f"Its first use wrote it down at {moment(at)}."
    return "Nobody has written it down; it counts at the size that the bundle has today."


def _grant_lines(one: GrantExplanation) -> Iterator[str]:
    yield ""
    yield f"{one.grant.get_kind_display()}: {one.standing.credits:,} of {counted(one.grant.amount)}"
    yield from aligned([("grant", str(one.grant.pk)), *facts(one)])
    yield from aligned(_entry_rows(one), right={3, 4})


def facts(one: GrantExplanation) -> list[tuple[str, str]]:
    """What is to be said of a grant beside its credits, as names and values."""
    grant, standing = one.grant, one.standing
    ends = "lapsed" if standing.is_lapsed else "lapses"
    told = {
        "given": moment(grant.created_at),
        ends: moment(grant.expires_at) if grant.expires_at else "never",
        "by": by(one.given.actor, one.given.reason),
        "purchase": str(grant.purchase_id or ""),
        "frozen": f"{one.frozen_credits:,}" if one.frozen_credits else "",
        "taken back": f"{one.revoked_credits:,}" if one.revoked_credits else "",
        "overdue": _overdue(standing.overdue_credits),
        "unwritten": _unwritten(one),
    }
    return [(name, value) for name, value in told.items() if value]


def by(actor: User | None, reason: str) -> str:
    """Who did something and why, as far as it is known."""
    return ": ".join(part for part in (actor.email if actor else "", reason) if part)


def _overdue(credits: int) -> str:
    return f"{credits:,} of holds past their time, not released yet" if credits else ""


def _unwritten(one: GrantExplanation) -> str:
    left = one.standing.remaining
    return f"{left:,} lapsed, and no entry said so yet" if one.standing.is_lapsed and left else ""


def _entry_rows(one: GrantExplanation) -> Iterator[tuple[str, ...]]:
    """The opening, the sums and the entries, oldest first, as they add up to what remained."""
    if one.opening_at:
        before = f"before {moment(one.opening_at)}"
        yield "", before, "Opening", "", f"{one.opening_credits:,}", ""
    for line in one.sums:
        yield "", f"{line.entries:,} entries", line.label, f"{line.credits:+,}", "", ""
    for entry in reversed(one.entries):
        yield _entry_row(entry)


def _entry_row(entry: Entry) -> tuple[str, ...]:
    what, left = f"{entry.credits:+,}", f"{entry.remaining_after:,}"
    label = entry.get_kind_display()
    return f"{entry.seq}", moment(entry.created_at), label, what, left, why(entry)


def why(entry: Entry) -> str:
    """The spend an entry belongs to, or who of the staff did it and why."""
    if entry.spend is None:
        return by(entry.actor, entry.reason)
    spent = (entry.spend.action.code, entry.spend.reference, str(entry.spend.pk))
    return " ".join(part for part in (*spent, by(entry.actor, entry.reason)) if part)


def spend_lines(told: SpendExplanation) -> Iterator[str]:
    """A spend or hold: what it was, what each grant gave, and what came back."""
    spend = told.spend
    yield f"{'Hold' if told.is_hold else 'Spend'} {spend.pk}"
    yield ""
    yield from aligned(spend_facts(told))
    yield ""
    yield "Drawn"
    drawn = [(e.grant.get_kind_display(), f"{-e.credits:,}", str(e.grant.pk)) for e in told.drawn]
    yield from aligned(drawn, right={1})
    if told.settlement:
        yield ""
        yield settled(told.settlement)
        yield from aligned(map(_returned_row, told.settlement.returned), right={1})
    for refund in told.refunds:
        yield ""
        yield refunded(refund)
        yield from aligned(map(_returned_row, refund.returned), right={1})


def spend_facts(told: SpendExplanation) -> list[tuple[str, str]]:
    """What a spend was, as names and values."""
    spend, key = told.spend, told.api_key
    facts = {
        "organization": f"{spend.organization} ({spend.organization.public_id})",
        "when": moment(spend.created_at),
        "key": f"{key}, or a browser token made with it" if key else "",
        "action": f"{spend.action.code} ({spend.action.service})",
        "quantity": f"{spend.quantity:,}",
        "price then": counted(spend.unit_credits),
        "price today": counted(told.unit_credits_now),
        "credits": f"{spend.credits:,}",
        "kept": f"{spend.kept_credits:,}",
        "left after": f"{spend.balance_after:,}",
        "status": spend.status,
        "held until": moment(spend.hold_expires_at) if spend.hold_expires_at else "",
        "reference": spend.reference,
        "idempotency key": spend.idempotency_key or "",
    }
    return [(name, value) for name, value in facts.items() if value]


def settled(settlement: Settlement) -> str:
    """How a hold ended, in a sentence."""
    ended = f"{settlement.outcome.capitalize()} at {moment(settlement.at)}"
    return f"{ended}: {counted(settlement.captured_credits)} spent."


def refunded(given_back: GivenBack) -> str:
    """A refund in a sentence."""
    refund = given_back.refund
    who = by(given_back.actor, given_back.reason) or str(refund.api_key or "")
    sentence = f"Refunded {counted(refund.credits)} at {moment(refund.created_at)}"
    return f"{sentence} ({who})." if who else f"{sentence}."


def _returned_row(one: Returned) -> tuple[str, ...]:
    return one.grant.get_kind_display(), f"{one.credits:,}", str(one.grant.pk), fate(one)


def fate(one: Returned) -> str:
    """What of the credits that came back was gone again at once."""
    parts = {"lapsed again": one.lapsed_credits, "taken or frozen": one.clawed_back_credits}
    return ", ".join(f"{credits:,} {what}" for what, credits in parts.items() if credits)


def aligned(rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> Iterator[str]:
    """Rows in columns, indented; the columns in `right` end flush, as numbers do."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield GAP + GAP.join(cells).rstrip()
