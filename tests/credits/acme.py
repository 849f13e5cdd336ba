"""A week of one organization, with all that an explanation has to tell of."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from credits import ledger
from credits.access import create_key
from credits.models import Organization, Spend, User
from tests.credits.support import MONDAY

ALT_TEXT, BACKGROUND = "alt-text.generate", "background.remove"
REASON = "Sorry for the outage on Monday"
AT_NINE = MONDAY + timedelta(hours=9)
TUESDAY = MONDAY + timedelta(days=1, hours=10)
WEDNESDAY = MONDAY + timedelta(days=2, hours=10)


@dataclass
class Acme:
    organization: Organization
    image: Spend
    album: Spend


def a_week_at_acme(staff: User, monday: datetime = MONDAY) -> Acme:
    """Two images, credits from staff, and an album: held, captured in part, refunded in part."""
    organization = acme_since(monday - timedelta(days=3))
    key, _ = create_key(name="Shop", organization=organization)
    at_nine, tuesday = (at - MONDAY + monday for at in (AT_NINE, TUESDAY))
    image = ledger.spend(
        organization, ALT_TEXT, quantity=2, reference="image-17", api_key=key, now=at_nine
    )
    ledger.adjust(organization, 100, reason=REASON, actor=staff, now=tuesday)
    hold = ledger.hold(
        organization,
        BACKGROUND,
        quantity=60,
        reference="album-9",
        idempotency_key="album-9",
        api_key=key,
        now=tuesday + timedelta(hours=1),
    )
    album = Spend.objects.get(pk=hold.id)
    ledger.capture(album, credits=55, now=tuesday + timedelta(hours=1, minutes=5))
    ledger.refund(album, credits=3, api_key=key, now=tuesday + timedelta(hours=2))
    return Acme(organization, Spend.objects.get(pk=image.id), Spend.objects.get(pk=album.pk))


def acme_since(created_at: datetime, **fields: object) -> Organization:
    organization = Organization.objects.create(**{"name": "Acme", "weekly_credits": 50, **fields})
    Organization.objects.filter(pk=organization.pk).update(created_at=created_at)
    organization.refresh_from_db()
    return organization


def assert_adds_up(explanation: ledger.Explanation) -> None:
    """As read on the page: grants make the balance, and entries what remained in each grant."""
    found = sum(one.standing.credits for one in explanation.grants) + explanation.more_credits
    bundle = explanation.bundle.credits if explanation.bundle else 0
    assert found + bundle == explanation.balance.total
    assert explanation.balance == ledger.balance_at(explanation.organization, at=explanation.at)
    for one in (*explanation.grants, *explanation.ended):
        moved = sum(line.credits for line in one.sums) + sum(e.credits for e in one.entries)
        assert one.opening_credits + moved == one.standing.remaining
        assert one.entries[0].remaining_after == one.standing.remaining
        if one.opening_at is None:
            assert one.opening_credits == 0


def assert_told_whole(told: ledger.SpendExplanation) -> None:
    """All that a spend took is told, and all that came back of it, to the credit."""
    spend = told.spend
    assert -sum(entry.credits for entry in told.drawn) == spend.credits
    for refund in told.refunds:
        assert sum(one.credits for one in refund.returned) == refund.refund.credits
    assert sum(refund.refund.credits for refund in told.refunds) == spend.refunded_credits
    settled = told.settlement.returned if told.settlement else ()
    assert sum(one.credits for one in settled) == spend.released_credits
    for one in (*settled, *(part for refund in told.refunds for part in refund.returned)):
        assert one.lapsed_credits + one.clawed_back_credits >= 0
        assert one.lapsed_credits <= one.credits
