"""The ledger against a model of it in plain Python, over random histories."""

import uuid
from contextlib import nullcontext
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
from credits.models import Clawback, Grant, Organization, Spend, User, Wallet
from tests.credits.ledger_model import NEVER, PRIORITY, Model, ModelGrant, ModelSpend
from tests.credits.support import MONDAY
from tests.purchases import paid_purchase

ACTION = "alt-text.generate"


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
        self.organization = Organization.objects.create(
            name="Random", weekly_credits=50, show_balance=True
        )
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

    @rule(
        target=spends,
        quantity=st.none() | quantities,
        seconds=st.none() | st.sampled_from([1, 900, 86_400]),
    )
    def spend_or_hold(self, quantity: int | None, seconds: int | None) -> Any:
        """Of `quantity`, or of all there is."""
        quantity = quantity or self.model.available() or 1
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
            self.model.ran_out()
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
        else:
            self.model.used()
            self.a_low_balance_is_noted(result.balance)
        self.model.spends.append(made)
        return first.id, made

    def take(self, quantity: int, seconds: int | None, key: str) -> ledger.SpendResult:
        common: dict[str, Any] = {"quantity": quantity, "idempotency_key": key, "now": self.now}
        if seconds:
            return ledger.hold(self.organization, ACTION, expires_in_seconds=seconds, **common)
        return ledger.spend(self.organization, ACTION, **common)

    def a_low_balance_is_noted(self, balance: int) -> None:
        wallet = Wallet.objects.get(organization=self.organization)
        if balance < (self.organization.low_balance_credits or 0):
            assert wallet.low_at or wallet.out_of_credits_at

    @rule(threshold=st.none() | quantities)
    def change_threshold(self, threshold: int | None) -> None:
        ledger.change_threshold(self.organization, threshold, now=self.now)
        if self.model.available() >= (threshold or 0):
            assert Wallet.objects.get(organization=self.organization).low_at is None

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

    @rule(kind=st.sampled_from(sorted(PRIORITY)))
    def revoke(self, kind: str) -> None:
        ledger.observe(self.organization, lambda: None, now=self.now)
        row = self.organization.grants.filter(kind=kind, is_open=True).first()
        grant = self.model.first_open(kind)
        assert (row is None) == (grant is None)
        if row is None or grant is None:
            return
        self.model.revoke(grant)
        asked = {"reason": "random", "actor": self.staff, "now": self.now}
        once: Any = {**asked, "adjustment_id": uuid.uuid4()}
        effect = ledger.observe(
            self.organization, lambda: ledger.revoke_grant(row, **once), now=self.now
        )
        assert [entry.kind for entry in effect.entries] == ["adjust"]
        assert effect.after == self.model.available()
        assert not ledger.revoke_grant(row, **once)
        with pytest.raises(ledger.GrantEmpty):
            ledger.revoke_grant(row, **asked)

    @rule(weekly=st.integers(0, 60))
    def change_bundle(self, weekly: int) -> None:
        ledger.change_bundle(self.organization, weekly, now=self.now)
        self.model.weekly = weekly

    @rule()
    def refill(self) -> None:
        sum(ledger.refill(now=self.now))

    @rule()
    def sweep_holds(self) -> None:
        list(ledger.settle_overdue(now=self.now))

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
        list(ledger.settle_overdue(now=self.now))
        for clawback in Clawback.objects.filter(grant__purchase_id=purchase_id):
            found = (clawback.revoked_credits, clawback.frozen_credits, clawback.shortfall)
            assert found == (grant.revoked, grant.frozen, grant.shortfall)

    def teardown(self) -> None:
        for at, credits in self.bought_at.items():
            assert ledger.balance_at(self.organization, at=at).by_kind["top_up"] == credits
        list(ledger.settle_overdue(now=self.now))
        ledger.change_threshold(self.organization, None, now=self.now)
        told = self.organization.notices.exclude(kind="low").order_by("id")
        assert list(told.values_list("kind", flat=True)) == self.model.told
        sequence = list(self.organization.entries.order_by("seq").values_list("seq", flat=True))
        assert sequence == list(range(1, len(sequence) + 1))


@pytest.mark.usefixtures("db")
def test_random_histories_end_as_the_model_says():
    run_state_machine_as_test(LedgerMachine)
    assert list(audit.findings()) == []
