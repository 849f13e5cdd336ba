"""What a verb does to an organization's credits, read from the entries it writes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from credits.ledger import database
from credits.ledger.balances import balance
from credits.models import Entry, Organization, Wallet


@dataclass(frozen=True, slots=True)
class Effect:
    """The entries that were written, and the credits to spend `before` and `after` them."""

    entries: tuple[Entry, ...]
    before: int
    after: int

    @property
    def facts(self) -> list[tuple[str, str, int]]:
        """What moved, apart from when and from what else happens to the organization."""
        return [(str(entry.grant_id), entry.kind, entry.credits) for entry in self.entries]


def observe(organization: Organization, verb: Callable[[], object], *, now: datetime) -> Effect:
    """Call a verb that changes this organization's credits, and tell its effect.

    What time alone has changed is written down first and is not part of it; nor is what others do,
    as the wallet stays locked until the transaction ends. Rolled back, it was a rehearsal. Raises
    what the verb raises.

    >>> ledger.observe(acme, lambda: ledger.refund(spend, now=now), now=now).after
    41
    """
    with transaction.atomic():
        moment = database.open_wallet(organization.pk, now)
        last = Wallet.objects.values_list("entry_seq", flat=True).get(organization=organization)
        before = balance(organization, now=moment).total
        verb()
        written = organization.entries.filter(seq__gt=last).select_related("grant").order_by("seq")
        return Effect(tuple(written), before, balance(organization, now=moment).total)
