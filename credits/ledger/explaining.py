"""Where credits went: a balance as the grants and entries that made it, a spend as its story.

Nothing here changes a row. However long a history is, a page of it is read: what a grant held is in
its last entry, the newest entries are told one by one, and those before them by kind, to a limit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Subquery

from credits.ledger import database
from credits.ledger.balances import (
    Balance,
    Standing,
    UntouchedBundle,
    standings,
    sum_up,
    untouched_bundle,
)
from credits.ledger.weeks import week_start
from credits.models import Entry, Grant, Organization

MAX_OPEN_GRANTS = 100
MAX_ENDED_GRANTS = 25
LISTED_ENTRIES = 20
SUMMED_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class KindSum:
    """So many entries of one kind, and what they moved together: positive into the grant."""

    kind: str
    entries: int
    credits: int

    @property
    def label(self) -> str:
        return str(Entry.Kind(self.kind).label)


@dataclass(frozen=True, slots=True)
class GrantExplanation:
    """What one grant held at a moment, and the entries that made it so.

    `opening_credits` + `sums` + `entries` = `standing.remaining`. The entries are the newest, those
    before them are in the sums, and where these do not reach back to the grant's first entry, they
    begin at `opening_at` with what was left then. `given` is that first entry. `frozen_credits` and
    `revoked_credits` are out of the grant because its money went back or is disputed.
    """

    standing: Standing
    given: Entry
    frozen_credits: int
    revoked_credits: int
    opening_credits: int
    opening_at: datetime | None
    sums: tuple[KindSum, ...]
    entries: tuple[Entry, ...]

    @property
    def grant(self) -> Grant:
        return self.standing.grant


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an organization could spend at a moment, and why it was that.

    `grants` held credits then, or had frozen ones, in burn-down order; `more_grants` others held
    `more_credits`. `ended` were used up or lapsed since Monday, the last one first.
    """

    organization: Organization
    at: datetime
    balance: Balance
    bundle: UntouchedBundle | None
    grants: tuple[GrantExplanation, ...]
    more_grants: int
    more_credits: int
    ended: tuple[GrantExplanation, ...]


def explain(organization: Organization, *, at: datetime) -> Explanation:
    """The balance at a moment, grant by grant, with the entries that made it.

    `balance` is what `balance_at` tells.

    >>> ledger.explain(acme, at=datetime(2026, 11, 23, 12, tzinfo=UTC)).grants[0].standing.credits
    45
    """
    found = standings(organization, at=at, lapsed_since=week_start(at))
    bundle = untouched_bundle(organization, at=at)
    money_back = _money_back(found, at)
    held = [one for one in found if one.credits or money_back.get(one.grant.pk, _NO_MONEY)[0]]
    shown, more = held[:MAX_OPEN_GRANTS], held[MAX_OPEN_GRANTS:]
    told = _tell([*shown, *_ended(found, held)], money_back, at)
    return Explanation(
        organization=organization,
        at=at,
        balance=sum_up(found, bundle),
        bundle=bundle,
        grants=told[: len(shown)],
        more_grants=len(more),
        more_credits=sum(one.credits for one in more),
        ended=told[len(shown) :],
    )


def why_not(organization: Organization, *, at: datetime, now: datetime) -> str:
    """What is wrong with asking for a moment and what to do, as a sentence; empty if nothing is."""
    if at > now:
        return "Choose a moment that is not in the future."
    if at < organization.created_at:
        since = f"{organization.created_at:%Y-%m-%dT%H:%M:%SZ}"
        return f"The organization is there since {since}; choose a moment after that."
    return ""


def _ended(found: Sequence[Standing], held: Iterable[Standing]) -> list[Standing]:
    """Those that were used up or lapsed since Monday; the others ended before."""
    still_open = {one.grant.pk for one in held}
    ended = [
        one
        for one in found
        if one.grant.pk not in still_open
        and (one.is_lapsed or one.last_entry_at >= week_start(one.at))
    ]
    return sorted(ended, key=lambda one: one.last_entry_at, reverse=True)[:MAX_ENDED_GRANTS]


MoneyBack = dict[UUID, tuple[int, int]]
_NO_MONEY = (0, 0)

# The kinds are written out, so that the planner sees that their index has them all.
_MONEY_BACK = """
    SELECT e.grant_id,
        coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('freeze', 'thaw')), 0)::bigint,
        coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('revoke', 'restore')), 0)::bigint
    FROM credits_clawback c JOIN credits_entry e ON e.grant_id = c.grant_id
    WHERE c.grant_id = ANY (%(grants)s) AND e.created_at <= %(at)s
        AND e.kind IN ('revoke', 'restore', 'freeze', 'thaw')
    GROUP BY e.grant_id
"""


def _money_back(found: Iterable[Standing], at: datetime) -> MoneyBack:
    """The credits frozen in and taken out of each grant until a moment, where there were any."""
    top_ups = [one.grant.pk for one in found if one.grant.kind == Grant.Kind.TOP_UP]
    if not top_ups:
        return {}
    rows = database.fetch(_MONEY_BACK, grants=top_ups, at=at)
    return {grant: (frozen, revoked) for grant, frozen, revoked in rows}


# What lies between the newest entries, which are told one by one, and a limit. The first of them
# says what was left in the grant before it.
_SUMS = """
    SELECT g.id, sums.*
    FROM unnest(%(grants)s::uuid[]) AS g (id), LATERAL (
        SELECT e.kind, count(*), sum(e.credits)::bigint,
            min(e.seq), min(e.created_at),
            (array_agg(e.remaining_after - e.credits ORDER BY e.seq))[1]
        FROM (
            SELECT kind, credits, remaining_after, created_at, seq FROM credits_entry
            WHERE grant_id = g.id AND created_at <= %(at)s
            ORDER BY created_at DESC, seq DESC OFFSET %(skipped)s LIMIT %(most)s
        ) e
        GROUP BY e.kind
    ) AS sums
"""


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The entries before the newest ones: by kind, and what was left before the first of them."""

    sums: tuple[KindSum, ...]
    first_seq: int
    first_at: datetime
    opening_credits: int


def _earlier(grants: Sequence[UUID], at: datetime) -> dict[UUID, _Earlier]:
    by_grant: dict[UUID, list[tuple[Any, ...]]] = {}
    found = database.fetch(
        _SUMS, grants=list(grants), at=at, skipped=LISTED_ENTRIES, most=SUMMED_ENTRIES
    )
    for grant, *row in found:
        by_grant.setdefault(grant, []).append(tuple(row))
    return {grant: _add_up(rows) for grant, rows in by_grant.items()}


def _add_up(rows: list[tuple[Any, ...]]) -> _Earlier:
    rows.sort(key=lambda row: row[3])
    _, _, _, first_seq, first_at, opening = rows[0]
    sums = tuple(KindSum(kind, entries, credits) for kind, entries, credits, *_ in rows)
    return _Earlier(sums, first_seq, first_at, opening)


def _tell(
    chosen: Sequence[Standing], money_back: MoneyBack, at: datetime
) -> tuple[GrantExplanation, ...]:
    ids = [one.grant.pk for one in chosen]
    pages = _pages(ids, at)
    earlier = _earlier(ids, at)
    return tuple(
        _explain_grant(
            one, *pages[one.grant.pk], earlier.get(one.grant.pk), money_back.get(one.grant.pk)
        )
        for one in chosen
    )


def _pages(grants: Sequence[UUID], at: datetime) -> dict[UUID, tuple[Entry, list[Entry]]]:
    """Of each grant, the entry that filled it and the newest ones until a moment."""
    of_grant = Entry.objects.filter(grant=OuterRef("pk"), created_at__lte=at)
    newest_first = of_grant.order_by("-created_at", "-seq").values("pk")
    found = Grant.objects.filter(pk__in=grants).values_list(
        "pk",
        Subquery(of_grant.order_by("created_at", "seq").values("pk")[:1]),
        ArraySubquery(newest_first[:LISTED_ENTRIES]),
    )
    pages = {grant: (first, newest) for grant, first, newest in found.order_by()}
    entries = Entry.objects.select_related("actor", "spend__action").in_bulk(
        {pk for first, newest in pages.values() for pk in (first, *newest)}
    )
    return {
        grant: (entries[first], [entries[pk] for pk in newest])
        for grant, (first, newest) in pages.items()
    }


def _explain_grant(
    standing: Standing,
    given: Entry,
    entries: list[Entry],
    earlier: _Earlier | None,
    money_back: tuple[int, int] | None,
) -> GrantExplanation:
    frozen, revoked = money_back or _NO_MONEY
    reaches_back = earlier is None or earlier.first_seq == given.seq
    return GrantExplanation(
        standing=standing,
        given=given,
        frozen_credits=frozen,
        revoked_credits=revoked,
        opening_credits=earlier.opening_credits if earlier else 0,
        opening_at=None if reaches_back or earlier is None else earlier.first_at,
        sums=earlier.sums if earlier else (),
        entries=tuple(entries),
    )
