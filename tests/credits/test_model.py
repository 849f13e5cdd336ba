"""The ledger against a model of it in plain Python, over random histories."""

import uuid
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from credits import ledger
from credits.ledger import audit
from credits.models import Clawback, Grant, Organization, Spend, User
from tests.credits.support import MONDAY
from tests.purchases import paid_purchase

ACTION = "alt-text.generate"
NEVER = datetime.max.replace(tzinfo=MONDAY.tzinfo)
PRIORITY = {"weekly": 10, "staff": 20, "top_up": 30}


@dataclass
class ModelGrant:
    """What is left follows from what is unused and what a clawback wants, whatever came first."""

    kind: str
    expires_at: datetime
    number: int
    unused: int
    revoke: int = 0
    freeze: int = 0
    collected: int = 0

    @property
    def revoked(self) -> int:
        return min(max(self.revoke - self.collected, 0), self.unused)

    @property
    def frozen(self) -> int:
        to_freeze = self.freeze - max(self.collected - self.revoke, 0)
        return min(to_freeze, self.unused - self.revoked)

    @property
    def remaining(self) -> int:
        return self.unused - self.revoked - self.frozen

    @property
    def shortfall(self) -> int:
        return max(self.revoke - self.collected - self.revoked, 0)

    @property
    def burn_down(self) -> tuple[int, datetime, int]:
        return PRIORITY[self.kind], self.expires_at, self.number


@dataclass
class ModelSpend:
    """What each grant gave, in the order it was drawn, and gets back."""

    parts: list[tuple[ModelGrant, int]]
    hold_expires_at: datetime | None = None
    status: str = "spent"


@dataclass
class Model:
    """Wallet arithmetic in the most obvious way; time is always written down at once."""

    now: datetime
    weekly: int = 50
    week: datetime | None = None
    grants: list[ModelGrant] = field(default_factory=list)
    spends: list[ModelSpend] = field(default_factory=list)

    def move_to(self, now: datetime) -> None:
        self.now = now
        for spend in self.spends:
            if spend.status == "held" and spend.hold_expires_at <= now:
                self.settle(spend, 0, "expired")
        for grant in self.grants:
            self.lapse(grant)
        week = ledger.week_start(now)
        if week != self.week:
            self.week = week
            self.give("weekly", self.weekly, week + timedelta(days=7))

    def lapse(self, grant: ModelGrant) -> None:
        if grant.expires_at <= self.now:
            grant.unused -= grant.remaining

    def give(self, kind: str, credits: int, expires_at: datetime = NEVER) -> ModelGrant:
        self.grants.append(ModelGrant(kind, expires_at, len(self.grants), credits))
        return self.grants[-1]

    def available(self) -> int:
        return sum(grant.remaining for grant in self.grants)

    def draw(self, credits: int) -> list[tuple[ModelGrant, int]]:
        parts = []
        for grant in sorted(self.grants, key=lambda grant: grant.burn_down):
            taken = min(credits, grant.remaining)
            if taken:
                grant.unused -= taken
                credits -= taken
                parts.append((grant, taken))
        return parts

    def send_home(self, grant: ModelGrant, credits: int) -> None:
        grant.unused += credits
        self.lapse(grant)

    def settle(self, spend: ModelSpend, captured: int, status: str) -> None:
        kept = []
        for grant, held in spend.parts:
            taken = min(captured, held)
            captured -= taken
            kept.append((grant, taken))
            self.send_home(grant, held - taken)
        spend.parts, spend.status = kept, status

    def refund(self, spend: ModelSpend, credits: int) -> None:
        parts = []
        for grant, kept in reversed(spend.parts):
            given = min(credits, kept)
            credits -= given
            parts.insert(0, (grant, kept - given))
            self.send_home(grant, given)
        spend.parts = parts

    def claw_back(self, grant: ModelGrant, revoke: int, freeze: int) -> None:
        if too_many := max(grant.collected - revoke - freeze, 0):
            grant.collected -= too_many
            self.give("staff", too_many)
        grant.revoke, grant.freeze = revoke, freeze
        self.lapse(grant)


def kept(spend: ModelSpend) -> int:
    return sum(credits for _, credits in spend.parts)


quantities = st.integers(1, 70)
lifetimes = st.none() | st.integers(1, 24 * 10)


class LedgerMachine(RuleBasedStateMachine):
    """Calls the verbs and the model side by side; a spend is (its row's id, the model's)."""

    spends = Bundle("spends")
    top_ups = Bundle("top_ups")

    def __init__(self) -> None:
        super().__init__()
        self.organization = Organization.objects.create(name="Random", weekly_credits=50)
        self.staff, _ = User.objects.get_or_create(email="staff@example.com")
        self.model = Model(MONDAY)
        self.model.move_to(MONDAY)
        self.bought_at: dict[datetime, int] = {}

    @property
    def now(self) -> datetime:
        return self.model.now

    @rule(step=st.sampled_from([1, 60, 900, 3_600, 86_400, 5 * 86_400, 14 * 86_400]))
    def wait(self, step: int) -> None:
        self.model.move_to(self.now + timedelta(seconds=step))

    @rule()
    def wait_for_monday(self) -> None:
        self.model.move_to(ledger.next_refill_at(self.now))

    @rule(target=spends, quantity=quantities, seconds=st.none() | st.sampled_from([1, 900, 86_400]))
    def spend_or_hold(self, quantity: int, seconds: int | None) -> Any:
        key = str(uuid.uuid4())
        enough = quantity <= self.model.available()
        results = []
        for _ in range(2):
            try:
                results.append(self.take(quantity, seconds, key))
            except ledger.OutOfCredits as error:
                assert (error.required, error.available) == (quantity, self.model.available())
                assert not enough
        if not enough:
            return multiple()
        parts = self.model.draw(quantity)
        first, replay = results
        assert (first.replayed, replay.replayed) == (False, True)
        for result in results:
            drawn = [(part.kind, part.credits) for part in result.drawn]
            assert drawn == [(grant.kind, credits) for grant, credits in parts]
            assert result.balance == self.model.available()
        made = ModelSpend(parts)
        if seconds:
            made = ModelSpend(parts, self.now + timedelta(seconds=seconds), "held")
        self.model.spends.append(made)
        return first.id, made

    def take(self, quantity: int, seconds: int | None, key: str) -> ledger.SpendResult:
        common: dict[str, Any] = {"quantity": quantity, "idempotency_key": key, "now": self.now}
        if seconds:
            return ledger.hold(self.organization, ACTION, expires_in_seconds=seconds, **common)
        return ledger.spend(self.organization, ACTION, **common)

    @rule(spend=spends, credits=st.none() | quantities)
    def refund(self, spend: tuple[uuid.UUID, ModelSpend], credits: int | None) -> None:
        row, made = Spend.objects.get(pk=spend[0]), spend[1]
        left = kept(made) if made.status == "spent" else 0
        is_repeat = credits is None and left == 0 and row.refunds.exists()
        try:
            result = ledger.refund(row, credits=credits, now=self.now)
        except ledger.TooManyCredits as error:
            assert error.left == left
            assert left == 0 or credits > left
            return
        assert result.replayed == is_repeat
        if not is_repeat:
            assert result.credits == (credits or left)
            self.model.refund(made, result.credits)

    @rule(spend=spends, credits=st.none() | quantities)
    def capture(self, spend: tuple[uuid.UUID, ModelSpend], credits: int | None) -> None:
        row, made = Spend.objects.get(pk=spend[0]), spend[1]
        if made.hold_expires_at is None:
            return
        was_captured = row.credits - row.released_credits if row.status == "spent" else None
        wanted = credits or row.credits
        try:
            ledger.capture(row, credits=credits, now=self.now)
        except ledger.TooManyCredits:
            assert wanted > row.credits
        except ledger.HoldClosed:
            assert made.status != "held"
            assert wanted != was_captured
        else:
            assert made.status == "held" or wanted == was_captured
            if made.status == "held":
                self.model.settle(made, wanted, "spent")

    @rule(spend=consumes(spends))
    def release(self, spend: tuple[uuid.UUID, ModelSpend]) -> None:
        row, made = Spend.objects.get(pk=spend[0]), spend[1]
        if made.hold_expires_at is None:
            return
        try:
            ledger.release(row, now=self.now)
        except ledger.HoldClosed:
            assert made.status == "spent"
        else:
            assert made.status != "spent"
            if made.status == "held":
                self.model.settle(made, 0, "released")

    @rule(target=top_ups, credits=st.integers(1, 100), lifetime_hours=lifetimes)
    def top_up(self, credits: int, lifetime_hours: int | None) -> Any:
        expires_at = self.now + timedelta(hours=lifetime_hours) if lifetime_hours else None
        purchase_id = paid_purchase(self.organization, credits, now=self.now).pk
        for _ in range(2):
            ledger.grant(
                self.organization,
                credits,
                kind=Grant.Kind.TOP_UP,
                purchase_id=purchase_id,
                expires_at=expires_at,
                now=self.now,
            )
        return purchase_id, self.model.give("top_up", credits, expires_at or NEVER), credits

    @rule(top_up=top_ups, revoke=st.integers(0, 100), freeze=st.integers(0, 100))
    def claw_back(
        self, top_up: tuple[uuid.UUID, ModelGrant, int], revoke: int, freeze: int
    ) -> None:
        purchase_id, grant, amount = top_up
        revoke = min(revoke, amount)
        freeze = min(freeze, amount - revoke)
        for _ in range(2):
            ledger.claw_back(
                purchase_id, revoke=revoke, freeze=freeze, now=self.now, reason="random"
            )
        self.model.claw_back(grant, revoke, freeze)

    @rule(top_up=top_ups, credits=quantities)
    def collect(self, top_up: tuple[uuid.UUID, ModelGrant, int], credits: int) -> None:
        purchase_id, grant, _ = top_up
        try:
            ledger.collect_shortfall(
                purchase_id, credits, now=self.now, reason="random", actor=self.staff
            )
        except ledger.OutOfCredits:
            assert credits > self.model.available()
        except (ledger.TooManyCredits, Clawback.DoesNotExist):
            assert credits > grant.shortfall
        else:
            self.model.draw(credits)
            grant.collected += credits
            assert grant.shortfall >= 0

    @rule(credits=st.integers(-80, 80).filter(bool), lifetime_hours=lifetimes)
    def adjust(self, credits: int, lifetime_hours: int | None) -> None:
        lives = lifetime_hours and credits > 0
        expires_at = self.now + timedelta(hours=lifetime_hours) if lives else None
        try:
            ledger.adjust(
                self.organization,
                credits,
                reason="random",
                actor=self.staff,
                now=self.now,
                expires_at=expires_at,
            )
        except ledger.OutOfCredits:
            assert -credits > self.model.available()
            return
        if credits > 0:
            self.model.give("staff", credits, expires_at or NEVER)
        else:
            self.model.draw(-credits)

    @rule(weekly=st.integers(0, 60))
    def change_bundle(self, weekly: int) -> None:
        ledger.change_bundle(self.organization, weekly, now=self.now)
        self.model.weekly = weekly

    @rule()
    def refill(self) -> None:
        sum(ledger.refill(now=self.now))

    @rule()
    def sweep_holds(self) -> None:
        list(ledger.release_expired(now=self.now))

    @invariant()
    def balances_agree(self) -> None:
        by_kind = dict.fromkeys(PRIORITY, 0)
        for grant in self.model.grants:
            by_kind[grant.kind] += grant.remaining
        assert ledger.balance(self.organization, now=self.now).by_kind == by_kind
        self.bought_at[self.now] = by_kind["top_up"]

    @rule()
    def the_balance_can_be_spent_and_no_more(self) -> None:
        balance = self.model.available()
        with transaction.atomic():
            for quantity, enough in ((balance + 1, False), (balance, True)):
                with nullcontext() if enough else pytest.raises(ledger.OutOfCredits):
                    if quantity:
                        ledger.spend(self.organization, ACTION, quantity=quantity, now=self.now)
            transaction.set_rollback(True)

    @rule(top_up=top_ups)
    def clawbacks_agree(self, top_up: tuple[uuid.UUID, ModelGrant, int]) -> None:
        purchase_id, grant, _ = top_up
        list(ledger.release_expired(now=self.now))
        for clawback in Clawback.objects.filter(grant__purchase_id=purchase_id):
            found = (clawback.revoked_credits, clawback.frozen_credits, clawback.shortfall)
            assert found == (grant.revoked, grant.frozen, grant.shortfall)

    def teardown(self) -> None:
        for at, credits in self.bought_at.items():
            assert ledger.balance_at(self.organization, at=at).by_kind["top_up"] == credits
        sequence = list(self.organization.entries.order_by("seq").values_list("seq", flat=True))
        assert sequence == list(range(1, len(sequence) + 1))


@pytest.mark.usefixtures("db")
def test_random_histories_end_as_the_model_says():
    run_state_machine_as_test(LedgerMachine)
    assert list(audit.findings()) == []
