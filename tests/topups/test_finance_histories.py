"""Whatever happens to top-ups, the books of every month add up to the minor unit."""

import csv
import io
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from books import ORDER, write_books
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Sum
from django.test import Client
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sold import session_of

from credits import ledger, totals
from credits.ledger import audit
from credits.models import Entry, Grant, Organization, Spend, User
from topups import closing, finance, fulfillment, gateway, month_totals, reversals
from topups.models import Plan, Purchase

START = datetime(2026, 10, 20, 9, tzinfo=UTC)
ACTION = "alt-text.generate"
CURRENCIES = ("usd", "eur", "jpy", "kwd")

quantities = st.integers(1, 60)


class FinanceMachine(RuleBasedStateMachine):
    """Two organizations buy, use, lose and get back credits while months go by."""

    purchases = Bundle("purchases")
    spends = Bundle("spends")
    refunds = Bundle("refunds")

    def __init__(self) -> None:
        super().__init__()
        # Time begins anew in each history, so nothing may be left of the one before.
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.now = START
        self.organizations = [
            Organization.objects.create(name=name, weekly_credits=weekly)
            for name, weekly in (("Acme", 0), ("Birch", 5))
        ]
        self.staff, _ = User.objects.get_or_create(email="fay@example.com")

    @rule(days=st.sampled_from([0, 1, 3, 12, 31, 62]))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days, seconds=1)

    @rule()
    def wait_for_the_last_hour_of_the_month(self) -> None:
        """So that holds and disputes go from one month into the next."""
        end = datetime.combine(finance.next_month(self.now.date().replace(day=1)), time(), UTC)
        self.now = max(self.now, end - timedelta(hours=1))

    @rule(
        target=purchases,
        who=st.integers(0, 1),
        credits=st.integers(1, 100),
        price=st.integers(50, 5_000),
        discount_percent=st.sampled_from([0, 0, 30, 100]),
        tax_percent=st.sampled_from([0, 0, 19]),
        currency=st.sampled_from(CURRENCIES),
        lifetime_days=st.none() | st.integers(1, 40),
    )
    def buy(self, who, credits, price, discount_percent, tax_percent, currency, lifetime_days):
        discount = price * discount_percent // 100
        tax = (price - discount) * tax_percent // 100
        purchase = self.order(self.organizations[who], credits, price, currency)
        paid_minor = price - discount + tax
        if lifetime_days:
            # No plan sells such yet; the ledger knows them.
            ledger.grant(
                purchase.organization,
                credits,
                kind=Grant.Kind.TOP_UP,
                purchase_id=purchase.pk,
                expires_at=self.now + timedelta(days=lifetime_days),
                now=self.now,
            )
        session = session_of(purchase, paid_minor)
        session = gateway.CheckoutSession(
            **{**vars_of(session), "amount_discount": discount, "amount_tax": tax}
        )
        fulfillment.fulfill(purchase.pk, session, now=self.now)
        return purchase.pk

    def order(self, organization, credits, price, currency) -> Purchase:
        return Purchase.objects.create(
            organization=organization,
            buyer=self.staff,
            plan=Plan.objects.first(),
            credits=credits,
            amount_minor=price,
            currency=currency,
            created_at=self.now,
            next_check_at=self.now,
        )

    @rule(target=spends, who=st.integers(0, 1), quantity=quantities, held=st.booleans())
    def spend_or_hold(self, who: int, quantity: int, held: bool) -> Any:
        organization = self.organizations[who]
        available = ledger.balance(organization, now=self.now).total
        if not available:
            return multiple()
        quantity = min(quantity, available)
        if held:
            lasts = {"expires_in_seconds": 86_400}
            return ledger.hold(organization, ACTION, quantity=quantity, now=self.now, **lasts).id
        return ledger.spend(organization, ACTION, quantity=quantity, now=self.now).id

    @rule(who=st.integers(0, 1))
    def use_everything(self, who: int) -> None:
        organization = self.organizations[who]
        if available := ledger.balance(organization, now=self.now).total:
            ledger.spend(organization, ACTION, quantity=available, now=self.now)

    @rule(spend=spends, credits=quantities)
    def give_back_or_settle(self, spend, credits: int) -> None:
        row = Spend.objects.get(pk=spend)
        try:
            if row.status == "held":
                ledger.capture(row, credits=min(credits, row.credits), now=self.now)
            else:
                ledger.refund(row, credits=min(credits, row.kept_credits) or 1, now=self.now)
        except (ledger.HoldClosed, ledger.TooManyCredits):
            pass

    @rule(target=refunds, purchase=purchases, part=st.integers(1, 100))
    def refund_money(self, purchase, part: int) -> Any:
        row = Purchase.objects.get(pk=purchase)
        left = (row.paid_minor or 0) - reversals.money_gone(row)
        if left < 1:
            return multiple()
        fact = self.told_of_refund(row, max(left * part // 100, 1))
        reversals.apply_refund(row.pk, fact, now=self.now)
        return row.pk, fact

    def told_of_refund(self, row: Purchase, amount_minor: int) -> gateway.Refund:
        return gateway.Refund(
            id=f"re_{uuid4().hex}",
            payment_intent=row.stripe_payment_intent_id,
            amount_minor=amount_minor,
            currency=row.currency,
            failure_reason="",
            status="succeeded",
            request_id=None,
            created_at=self.now,
            as_of=self.now,
        )

    @rule(refund=refunds)
    def a_refund_fails(self, refund) -> None:
        purchase, fact = refund
        failed = gateway.Refund(
            **{**vars_of(fact), "status": "failed", "as_of": self.now + timedelta(seconds=1)}
        )
        reversals.apply_refund(purchase, failed, now=self.now)

    @rule(
        purchase=purchases,
        status=st.sampled_from(["needs_response", "lost", "won", "appeal_under_review"]),
        part=st.integers(1, 100),
    )
    def dispute(self, purchase, status: str, part: int) -> None:
        row = Purchase.objects.get(pk=purchase)
        if not row.paid_minor:
            return
        self.now += timedelta(seconds=1)
        fact = gateway.Dispute(
            id=f"dp_{row.pk.hex}",
            payment_intent=row.stripe_payment_intent_id,
            amount_minor=max(row.paid_minor * part // 100, 1),
            currency=row.currency,
            status=status,
            reason="fraudulent",
            is_withdrawn=True,
            respond_by=None,
            created_at=self.now,
            as_of=self.now,
        )
        reversals.apply_dispute(row.pk, fact, now=self.now)

    @rule(who=st.integers(0, 1), credits=st.integers(-40, 40).filter(bool))
    def adjust(self, who: int, credits: int) -> None:
        organization = self.organizations[who]
        available = ledger.balance(organization, now=self.now).total
        if credits := max(credits, -available):
            ledger.adjust(organization, credits, reason="random", actor=self.staff, now=self.now)

    @rule()
    def roll_up(self) -> None:
        totals.roll_up(now=self.now)
        month_totals.roll_up()
        assert month_totals.roll_up() == 0

    @rule()
    def close_last_month(self) -> None:
        self.roll_up()
        last = (self.now.date().replace(day=1) - timedelta(days=1)).replace(day=1)
        try:
            closing.close(last, actor=self.staff, now=self.now)
        except closing.NotClosable:
            assert not closing.is_complete(last) or not [
                month for month in self.months() if month.month <= last and not month.closed
            ]

    def months(self) -> list[finance.Month]:
        return [month for currency in finance.currencies() for month in finance.months(currency)]

    @invariant()
    def closed_months_stay_as_they_were(self) -> None:
        assert not [month for month in self.months() if month.differences()]

    def teardown(self) -> None:
        try:
            self.roll_up()
            self.months_agree_with_the_books()
            self.what_is_left_is_what_grants_hold()
            self.money_back_is_told_once()
            self.used_up_means_recognized()
            assert list(audit.findings()) == []
        finally:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    def months_agree_with_the_books(self) -> None:
        books = write_books()
        before: dict[str, finance.Month] = {}
        for month in self.months():
            currency = month.total.currency
            book = books.get((f"{month.month:%Y-%m}", currency))
            if book:
                told = told_of(month)
                assert told["credits"] == {name: book.credits[name] for name in told["credits"]}
                assert told["minor"] == {name: book.minor[name] for name in told["minor"]}
            if currency in before:
                assert month.opening == before[currency].closing
            adds_up(month)
            before[currency] = month
        found = {(f"{month.month:%Y-%m}", month.total.currency) for month in self.months()}
        assert {key for key, book in books.items() if any(book.credits.values())} <= found

    def what_is_left_is_what_grants_hold(self) -> None:
        for currency in finance.currencies():
            last = finance.months(currency)[-1]
            grants = Grant.objects.filter(
                purchase_id__in=Purchase.objects.filter(currency=currency).values("pk")
            )
            remaining = grants.aggregate(total=Sum("remaining"))["total"]
            moved = Entry.objects.filter(grant__in=grants)
            held = moved.filter(kind__in=("hold", "release")).aggregate(t=Sum("credits"))["t"] or 0
            frozen = moved.filter(kind__in=("freeze", "thaw")).aggregate(t=Sum("credits"))["t"] or 0
            assert last.closing.credits == remaining - held - frozen
            assert (last.held.credits, last.frozen.credits) == (-held, -frozen)

    def money_back_is_told_once(self) -> None:
        for currency in finance.currencies():
            gone = sum(
                reversals.money_gone(purchase)
                for purchase in Purchase.objects.filter(currency=currency)
            )
            told = sum(month.returned.amount_minor for month in finance.months(currency))
            assert told == gone

    def used_up_means_recognized(self) -> None:
        """Of one top-up, by its file: used up and nothing else, it has recognized its price."""
        client = Client()
        client.force_login(reader())
        sums: dict[str, dict[str, int]] = {}
        for month in sorted({month.month for month in self.months()}):
            rows = file_of(client, f"month/{month:%Y-%m}/top-ups.csv")
            for row in rows:
                told = sums.setdefault(row["purchase_id"], dict.fromkeys(ORDER, 0))
                for name in ORDER:
                    told[name] += int(row[f"{name}_minor"])
                told["net"] = int(row["net_minor"])
                told["left"] = int(row["closing_credits"])
                told["out"] = sum(int(row[f"{name}_credits"]) for name in ORDER[2:])
            self.file_adds_up_to_the_page(month, rows)
        for told in sums.values():
            assert told["sold"] == told["net"]
            gone = sum(told[name] for name in ORDER[1:])
            assert gone == told["net"] if told["left"] == 0 else gone <= told["net"]

    def file_adds_up_to_the_page(self, month, rows: list[dict[str, str]]) -> None:
        for known in self.months():
            if known.month == month:
                told = told_of(known)
                mine = [row for row in rows if row["currency"] == known.total.currency]
                for name, credits in told["credits"].items():
                    sign = 1 if name in ("opening", "sold", "closing") else -1
                    assert sign * sum(int(row[f"{name}_credits"]) for row in mine) == sign * credits
                    money = sum(int(row[f"{name}_minor"]) for row in mine)
                    assert money == told["minor"][name]


def vars_of(fact: Any) -> dict[str, Any]:
    return {name: getattr(fact, name) for name in fact.__dataclass_fields__}


def told_of(month: finance.Month) -> dict[str, dict[str, int]]:
    amounts = {"opening": month.opening, **month.movements, "closing": month.closing}
    return {
        "credits": {name: amount.credits for name, amount in amounts.items()},
        "minor": {name: amount.minor for name, amount in amounts.items()},
    }


def adds_up(month: finance.Month) -> None:
    for column in told_of(month).values():
        out = sum(column[name] for name in ORDER[1:])
        assert column["opening"] + column["sold"] - out == column["closing"]


def reader() -> User:
    user, _ = User.objects.get_or_create(email="reader@example.com", is_staff=True)
    user.groups.set(Group.objects.filter(name="finance"))
    return user


def file_of(client: Client, name: str) -> list[dict[str, str]]:
    answer = client.get(f"/admin/topups/monthtotal/{name}")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


@pytest.mark.usefixtures("db")
def test_the_books_of_random_histories_add_up():
    run_state_machine_as_test(
        FinanceMachine,
        settings=hypothesis_settings(
            max_examples=hypothesis_settings.default.max_examples // 8, stateful_step_count=40
        ),
    )
