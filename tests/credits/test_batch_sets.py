"""A batch gives what its spends give one by one, whatever was there before and is asked for."""

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from credits import ledger
from credits.ledger import LedgerError, SpendItem, SpendResult, audit
from credits.models import Action, Organization, Service, User
from tests.credits.support import MONDAY

ALT, DEAR, UNSOLD = "alt-text.generate", "dear.made", "no-longer.sold"
NOON = MONDAY + timedelta(hours=12)
HOUR = timedelta(hours=1)

extras = st.lists(st.tuples(st.integers(1, 30), st.none() | st.integers(1, 30)), max_size=4)
earlier = st.lists(st.tuples(st.integers(1, 12), st.none() | st.sampled_from("abc")), max_size=3)
holds = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 20)), max_size=2)
spends = st.lists(
    st.tuples(
        st.integers(0, 1),
        # Ordinary spends most of the time, so that whole batches of them come up too.
        st.sampled_from([ALT] * 12 + [DEAR] * 4 + [UNSOLD, "no.such"]),
        st.sampled_from([1, 1, 1, 2, 3, 5, 8, 40]),
        st.sampled_from([None] * 8 + list("abc")),
    ),
    min_size=1,
    max_size=8,
)
organizations = st.fixed_dictionaries(
    {
        "weekly": st.sampled_from([0, 5, 20, 60, 60, 200]),
        "shows": st.booleans(),
        "threshold": st.none() | st.integers(1, 40),
        "is_suspended": st.sampled_from([False] * 9 + [True]),
        "extras": extras,
        "earlier": earlier,
        "holds": holds,
        "touched": st.booleans(),
    }
)


@dataclass
class World:
    staff: User
    numbers: "count[int]"

    def organization(self, past: dict) -> Organization:
        """An organization with such a past; two with the same past are alike but for their ids."""
        made = Organization.objects.create(
            name=f"Random {next(self.numbers)}",
            weekly_credits=past["weekly"],
            show_balance=past["shows"],
            low_balance_credits=past["threshold"],
        )
        for credits, hours in past["extras"]:
            expires_at = NOON + hours * HOUR if hours else None
            ledger.adjust(
                made, credits, reason="random", actor=self.staff, expires_at=expires_at, now=NOON
            )
        for quantity, key in past["earlier"]:
            try_to(lambda q=quantity, k=key: ledger.spend(
                made, ALT, quantity=q, idempotency_key=k, now=NOON
            ))  # fmt: skip
        for quantity, hours in past["holds"]:
            try_to(lambda q=quantity, h=hours: ledger.hold(
                made, ALT, quantity=q, expires_in_seconds=h * 3_600, now=NOON
            ))  # fmt: skip
        if past["touched"]:
            with transaction.atomic():
                ledger.database.open_wallet(made.pk, NOON)
        if past["is_suspended"]:
            Organization.objects.filter(pk=made.pk).update(suspended_at=NOON)
        return made


def try_to(spend):
    try:
        return spend()
    except LedgerError as error:
        return error


def told(result: SpendResult | LedgerError) -> tuple:
    """A result without its ids."""
    if isinstance(result, LedgerError):
        facts = {**vars(result)}
        facts.pop("organization", None)
        return type(result), facts
    parts = [(part.kind, part.credits) for part in result.drawn]
    return (
        result.action, result.quantity, result.unit_credits, result.credits, result.reference,
        parts, result.balance, result.created_at, result.replayed,
    )  # fmt: skip


def books(organization: Organization) -> list:
    """All that the ledger has on an organization, without its ids."""
    grants = {pk: number for number, pk in enumerate(
        organization.grants.order_by("created_at", "id").values_list("pk", flat=True)
    )}  # fmt: skip
    spends = {pk: number for number, pk in enumerate(
        organization.spends.order_by("created_at", "id").values_list("pk", flat=True)
    )}  # fmt: skip
    entries = organization.entries.order_by("seq").values_list(
        "seq", "grant", "kind", "credits", "remaining_after", "spend", "created_at"
    )
    assert list(entries) == list(entries.order_by("id"))
    wallet = {**vars(organization.wallet)}
    for name in ("_state", "organization_id"):
        del wallet[name]
    return [
        wallet,
        [(e[0], grants[e[1]], *e[2:5], spends.get(e[5]), e[6]) for e in entries],
        list(organization.grants.order_by("created_at", "id").values_list("kind", "remaining")),
        list(organization.spends.order_by("created_at", "id").values_list(
            "action", "api_key", "quantity", "unit_credits", "credits", "status", "balance_after",
            "reference", "idempotency_key", "hold_expires_at", "created_at",
        )),
        list(organization.notices.order_by("id").values_list(
            "kind", "available_credits", "occurred_at", "ended_at"
        )),
    ]  # fmt: skip


@pytest.fixture
def world(staff: User) -> World:
    service = Service.objects.get(name="Image alt text")
    Action.objects.create(service=service, code=DEAR, name="Dear", credits=3)
    Action.objects.create(service=service, code=UNSOLD, name="Unsold", is_active=False)
    return World(staff, count())


def items(asked: list[tuple], organizations: list[Organization]) -> list[SpendItem]:
    return [
        SpendItem(organizations[which], action, quantity, "" if key else f"number {number}", key)
        for number, (which, action, quantity, key) in enumerate(asked)
    ]


def assert_as_one_by_one(world: World, pasts: list[dict], asked: list[tuple], now) -> list:
    together = [world.organization(past) for past in pasts]
    apart = [world.organization(past) for past in pasts]
    made = ledger.spend_batch(items(asked, together), now=now)
    alone = [
        try_to(lambda item=item: ledger.spend(
            item.organization, item.action, quantity=item.quantity, reference=item.reference,
            idempotency_key=item.idempotency_key, now=now,
        ))
        for item in items(asked, apart)
    ]  # fmt: skip
    assert [told(result) for result in made] == [told(result) for result in alone]
    for one, other in zip(together, apart, strict=True):
        assert books(Organization.objects.get(pk=one.pk)) == books(
            Organization.objects.get(pk=other.pk)
        )
    return made


def test_a_batch_is_its_spends_one_by_one(world):
    @given(
        st.lists(organizations, min_size=2, max_size=2),
        spends,
        st.sampled_from([0, 0, 0, 1, 12, 24 * 7]),
    )
    def check(pasts, asked, hours):
        with transaction.atomic():
            assert_as_one_by_one(world, pasts, asked, NOON + hours * HOUR)
            assert list(audit.findings()) == []
            transaction.set_rollback(True)

    check()


def test_a_batch_that_leaves_few_credits_or_none_tells_of_it(world):
    past = {
        "weekly": 20, "shows": True, "threshold": 10, "is_suspended": False, "extras": [],
        "earlier": [], "holds": [], "touched": True,
    }  # fmt: skip
    asked = [(0, ALT, 8, None), (0, ALT, 5, None), (1, ALT, 20, None), (0, ALT, 1, None)]
    assert_as_one_by_one(world, [past, past], asked, NOON)
    notices = Organization.objects.filter(notices__isnull=False).order_by("id")
    assert list(notices.values_list("notices__kind", flat=True)) == ["low", "out_of_credits"] * 2


@pytest.mark.parametrize("earlier", [[], [(12, None)]], ids=["first", "again"])
def test_a_batch_that_is_refused_tells_of_it_once(world, earlier):
    past = {
        "weekly": 0, "shows": True, "threshold": None, "is_suspended": False,
        "extras": [(3, None)], "earlier": earlier, "holds": [], "touched": True,
    }  # fmt: skip
    asked = [(0, ALT, 5, None), (0, ALT, 40, "a"), (1, ALT, 5, None), (1, ALT, 3, None)]
    made = assert_as_one_by_one(world, [past, past], asked, NOON)
    assert [getattr(result, "available", None) for result in made] == [3, 3, 3, None]
    for organization in Organization.objects.filter(name__startswith="Random"):
        assert organization.notices.filter(kind="out_of_credits", available_credits=3).count() == 1


def test_a_key_that_a_batch_repeats_gets_its_first_answer(world):
    past = {
        "weekly": 200, "shows": False, "threshold": None, "is_suspended": False, "extras": [],
        "earlier": [(3, "a")], "holds": [], "touched": True,
    }  # fmt: skip
    asked = [(0, ALT, 3, "a"), (0, ALT, 2, None), (1, ALT, 1, "b"), (1, ALT, 1, "b")]
    made = assert_as_one_by_one(world, [past, past], asked, NOON)
    assert [result.replayed for result in made] == [True, False, False, True]
    assert replace(made[3], replayed=False) == made[2]


def test_one_spend_of_a_batch_takes_from_many_grants_and_one_grant_gives_to_many(world):
    past = {
        "weekly": 5, "shows": False, "threshold": None, "is_suspended": False,
        "extras": [(4, 2), (6, 1), (9, None)], "earlier": [(1, None)], "holds": [],
        "touched": True,
    }  # fmt: skip
    asked = [(0, ALT, 2, None), (0, DEAR, 3, "a"), (1, ALT, 1, None), (0, ALT, 8, "b")]
    made = assert_as_one_by_one(world, [past, past], asked, NOON)
    assert [len(result.drawn) for result in made] == [1, 3, 1, 2]


def test_a_thousand_spends_of_one_organization_are_numbered_in_their_order(world):
    organization = Organization.objects.create(name="Large", weekly_credits=2_000)
    keys = [str(uuid.uuid4()) for _ in range(1_000)]
    ledger.spend(organization, ALT, now=NOON)
    made = ledger.spend_batch(
        [SpendItem(organization, ALT, idempotency_key=key) for key in keys], now=NOON
    )
    assert [result.balance for result in made] == list(range(1_998, 998, -1))
    spent = organization.spends.filter(idempotency_key__isnull=False).order_by("entries__seq")
    assert list(spent.values_list("idempotency_key", flat=True)) == keys
    assert list(audit.findings()) == []
