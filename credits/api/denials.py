"""The fast path's 402s: the problem document of the view, with the words of staff kept a second."""

import asyncio
import time

from credits import ledger
from credits.api import problems
from credits.api.bookkeeping import in_thread
from credits.api.rendering import render
from credits.ledger.group_commit import Made
from credits.models import Organization

KEPT_SECONDS = 1


class Denials:
    """Makes the body of a 402; those that say the same within a second are made once."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[object, ...], asyncio.Future[bytes]] = {}
        self._kept_until = 0.0

    async def body(self, made: Made) -> bytes:
        """The 402 of a spend that was not made for lack of credits. Raises django.db.Error."""
        if time.monotonic() >= self._kept_until:
            self._bodies, self._kept_until = {}, time.monotonic() + KEPT_SECONDS
        shown = made.balance if made.shows_balance else None
        said = (made.total, shown, made.weekly_credits, ledger.week_start(made.at))
        if said not in self._bodies:
            self._bodies[said] = asyncio.ensure_future(in_thread(_body, made))
        # Who stops waiting must not stop it for the others.
        return await asyncio.shield(self._bodies[said])


def _body(made: Made) -> bytes:
    organization = Organization(
        public_id=made.organization,
        show_balance=made.shows_balance,
        weekly_credits=made.weekly_credits,
    )
    document = problems.describe(
        ledger.OutOfCredits(organization, required=made.total, available=made.balance, at=made.at)
    )
    assert document
    return render(document)
