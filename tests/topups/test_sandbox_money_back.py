"""Refunds and disputes at the sandbox, seen through Stripe's own client."""

from datetime import timedelta

import pytest
from django.utils import timezone
from sandbox_shop import refusal, told, told_of

from tests.concurrency.threads import at_once
from topups.sandbox import bank, disputes, refunds
from topups.sandbox.errors import Refused
from topups.sandbox.models import Dispute, Refund

COMPLETED = "checkout.session.completed"


def now():
    return timezone.now()


def refund(shop, payment, **params):
    return shop.v1.refunds.create({"payment_intent": payment.pk, **params})


def test_a_card_is_refunded_at_once_in_parts_or_all_that_is_left(shop):
    payment = shop.sale(1000)
    part = refund(shop, payment, amount=300, reason="duplicate", metadata={"by": "ann"})
    assert (part.status, part.amount, part.reason) == ("succeeded", 300, "duplicate")
    assert (part.metadata.to_dict(), part.charge) == ({"by": "ann"}, payment.charge_id)
    assert told() == [COMPLETED, "refund.created"]
    assert told_of("refund.created") == part.to_dict()
    assert (shop.charge(payment).amount_refunded, shop.charge(payment).refunded) == (300, False)
    assert refund(shop, payment).amount == 700
    assert (shop.charge(payment).amount_refunded, shop.charge(payment).refunded) == (1000, True)
    assert shop.v1.refunds.retrieve(part.id) == part


def test_no_more_goes_back_than_came(shop):
    payment = shop.sale(1000)
    error = refusal(refund, shop, payment, amount=1001)
    assert (error.param, error.http_status) == ("amount", 400)
    assert "Refund amount ($10.01) is greater than unrefunded amount on charge ($10.00)" in str(
        error
    )
    refund(shop, payment, amount=999)
    assert "($0.01)" in str(refusal(refund, shop, payment, amount=2))
    refund(shop, payment)
    assert refusal(refund, shop, payment).code == "charge_already_refunded"
    assert Refund.objects.count() == 2


def test_refunds_made_at_once_give_no_more_than_came(shop):
    payment = shop.sale(1000)

    def refund_300(_) -> bool:
        try:
            return bool(refunds.create(payment.pk, 300, now=now()))
        except Refused:
            return False

    assert sorted(at_once(refund_300, range(8))) == [False] * 5 + [True] * 3
    assert shop.charge(payment).amount_refunded == 900


def test_only_what_is_paid_goes_back(shop):
    payment = shop.debit()
    error = refusal(refund, shop, payment)
    assert error.code == "payment_intent_unexpected_state"
    error = refusal(shop.v1.refunds.create, {"payment_intent": "pi_none"})
    assert (error.http_status, error.code, error.param) == (
        404, "resource_missing", "payment_intent",
    )  # fmt: skip
    assert refusal(refund, shop, payment, amount=0).param == "amount"
    assert refusal(refund, shop, payment, reason="mood").param == "reason"
    assert refusal(refund, shop, payment, nonsense="1").code == "parameter_unknown"


def test_a_refund_to_a_bank_is_pending_until_it_arrives(shop):
    payment = bank.accept(shop.debit().pk, now=now())
    pending = refund(shop, payment, amount=400)
    assert (pending.status, pending.pending_reason) == ("pending", "processing")
    assert shop.charge(payment).amount_refunded == 400
    refunds.settle(pending.id, now=now())
    assert shop.v1.refunds.retrieve(pending.id).status == "succeeded"
    assert told_of("refund.created")["status"] == "pending"
    assert told_of("refund.updated")["status"] == "succeeded"
    with pytest.raises(Refused, match="no longer pending"):
        refunds.settle(pending.id, now=now())


@pytest.mark.parametrize("by_bank", [True, False])
def test_a_refund_that_fails_gives_its_amount_back(shop, by_bank):
    payment = bank.accept(shop.debit().pk, now=now()) if by_bank else shop.sale()
    made = refund(shop, payment)
    assert "failure_reason" not in made.to_dict()
    refunds.fail(made.id, now=now())
    failed = shop.v1.refunds.retrieve(made.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert (shop.charge(payment).amount_refunded, shop.charge(payment).refunded) == (0, False)
    assert told()[-3:] == ["refund.created", "refund.failed", "refund.updated"]
    assert told_of("refund.failed") == failed.to_dict()
    assert refund(shop, payment).amount == 1000
    with pytest.raises(Refused, match="failed already"):
        refunds.fail(made.id, now=now())


def test_refunds_are_listed_by_payment_and_time(shop):
    first, second = shop.sale(), shop.sale()
    old = refund(shop, first, amount=100)
    made = [refund(shop, second, amount=100).id for _ in range(3)]
    Refund.objects.filter(pk=old.id).update(created_at=now() - timedelta(days=2))
    listed = shop.v1.refunds.list
    assert [found.id for found in listed({"payment_intent": second.pk}).data] == made[::-1]
    assert [found.id for found in listed({"charge": first.charge_id}).data] == [old.id]
    day_ago = int((now() - timedelta(days=1)).timestamp())
    assert [found.id for found in listed({"created": {"lt": day_ago}}).data] == [old.id]
    page = listed({"limit": 2})
    assert (page.has_more, page.url) == (True, "/v1/refunds")
    assert [found.id for found in page.auto_paging_iter()] == [*made[::-1], old.id]
    expanded = listed({"expand": ["data.payment_intent"], "limit": 1}).data[0]
    assert expanded.payment_intent.id == second.pk


def test_a_chargeback_takes_the_money_and_gives_it_back_when_won(shop):
    payment = shop.sale(1000)
    opened = disputes.open_chargeback(payment.pk, 600, now=now(), reason="duplicate")
    found = shop.v1.disputes.retrieve(opened.pk)
    assert (found.status, found.amount, found.reason) == ("needs_response", 600, "duplicate")
    assert (found.charge, found.payment_intent) == (payment.charge_id, payment.pk)
    assert found.evidence_details.due_by - found.created == 7 * 24 * 60 * 60
    assert [moved.amount for moved in found.balance_transactions] == [-600]
    assert shop.charge(payment).disputed
    disputes.respond(opened.pk, now=now())
    reviewed = told_of("charge.dispute.updated")
    assert (reviewed["status"], reviewed["evidence_details"]["submission_count"]) == (
        "under_review",
        1,
    )
    disputes.win(opened.pk, now=now())
    found = shop.v1.disputes.retrieve(opened.pk)
    assert found.status == "won"
    assert [moved.amount for moved in found.balance_transactions] == [-600, 600]
    assert told() == [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        COMPLETED,
    ]
    assert told_of("charge.dispute.created")["status"] == "needs_response"
    assert told_of("charge.dispute.closed") == found.to_dict()


def test_a_lost_dispute_can_be_appealed_and_won(shop):
    opened = disputes.open_chargeback(shop.sale().pk, now=now())
    disputes.lose(opened.pk, now=now())
    assert told_of("charge.dispute.closed")["status"] == "lost"
    disputes.appeal(opened.pk, now=now())
    assert told_of("charge.dispute.updated")["status"] == "appeal_needs_response"
    disputes.respond(opened.pk, now=now())
    assert told_of("charge.dispute.updated")["status"] == "appeal_under_review"
    assert disputes.win(opened.pk, now=now()).status == "won"
    assert len(shop.v1.disputes.retrieve(opened.pk).balance_transactions) == 2


def test_an_inquiry_takes_nothing_until_it_escalates(shop):
    payment = shop.sale()
    opened = disputes.open_inquiry(payment.pk, now=now())
    found = shop.v1.disputes.retrieve(opened.pk)
    assert (found.status, found.balance_transactions) == ("warning_needs_response", [])
    assert found.is_charge_refundable
    assert "charge.dispute.funds_withdrawn" not in told()
    disputes.respond(opened.pk, now=now())
    assert told_of("charge.dispute.updated")["status"] == "warning_under_review"
    disputes.escalate(opened.pk, now=now())
    found = shop.v1.disputes.retrieve(opened.pk)
    assert (found.status, found.is_charge_refundable) == ("needs_response", False)
    assert told_of("charge.dispute.funds_withdrawn") == found.to_dict()


def test_an_inquiry_that_is_closed_moves_no_money(shop):
    opened = disputes.open_inquiry(shop.sale().pk, now=now())
    disputes.win(opened.pk, now=now())
    assert told_of("charge.dispute.closed")["status"] == "warning_closed"
    assert "charge.dispute.funds_reinstated" not in told()


def test_a_prevented_dispute_has_given_the_money_back(shop):
    prevented = disputes.prevent(shop.sale().pk, 400, now=now())
    found = shop.v1.disputes.retrieve(prevented.pk)
    assert (found.status, found.balance_transactions[0].amount) == ("prevented", -400)
    assert told()[:2] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


STEPS = (disputes.respond, disputes.escalate, disputes.win, disputes.lose, disputes.appeal)
POSSIBLE = {
    "warning_needs_response": {disputes.respond, disputes.escalate, disputes.win},
    "warning_under_review": {disputes.escalate, disputes.win},
    "warning_closed": set(),
    "needs_response": {disputes.respond, disputes.win, disputes.lose},
    "under_review": {disputes.win, disputes.lose},
    "won": set(),
    "lost": {disputes.appeal},
    "appeal_needs_response": {disputes.respond, disputes.win, disputes.lose},
    "appeal_under_review": {disputes.win, disputes.lose},
    "prevented": set(),
}


@pytest.mark.parametrize("status", Dispute.Status.values)
def test_from_each_status_only_some_steps_are_possible(shop, status):
    opened = disputes.open_chargeback(shop.sale().pk, now=now())
    before = {
        "status": status,
        "withdrawn_at": None if status.startswith("warning") else now(),
        "reinstated_at": now() if status == "won" else None,
    }
    possible = set()
    for step in STEPS:
        Dispute.objects.filter(pk=opened.pk).update(**before)
        try:
            step(opened.pk, now=now())
        except Refused:
            continue
        possible.add(step)
    assert possible == POSSIBLE[status]


def test_what_is_disputed_cannot_be_refunded(shop):
    payment = shop.sale(1000)
    opened = disputes.open_chargeback(payment.pk, 600, now=now())
    assert shop.v1.disputes.retrieve(opened.pk).is_charge_refundable
    assert "($4.00)" in str(refusal(refund, shop, payment, amount=500))
    refund(shop, payment)
    assert not shop.v1.disputes.retrieve(opened.pk).is_charge_refundable
    error = refusal(refund, shop, payment)
    assert error.code == "charge_disputed"
    disputes.win(opened.pk, now=now())
    assert refund(shop, payment).amount == 600


def test_a_bank_disputes_what_was_refunded_but_nothing_twice(shop):
    payment = shop.sale(1000)
    refund(shop, payment)
    disputes.open_chargeback(payment.pk, 700, now=now())
    for amount in (301, 0):
        with pytest.raises(Refused, match="1 to 300"):
            disputes.open_inquiry(payment.pk, amount, now=now())
    second = disputes.open_chargeback(payment.pk, now=now())
    assert second.amount == 300
    with pytest.raises(Refused, match="disputed already"):
        disputes.open_chargeback(payment.pk, now=now())
    disputes.win(second.pk, now=now())
    assert disputes.open_chargeback(payment.pk, now=now()).amount == 300


def test_only_what_is_paid_is_disputed_for_a_known_reason(shop):
    with pytest.raises(Refused, match="has succeeded"):
        disputes.open_chargeback(shop.debit().pk, now=now())
    with pytest.raises(Refused, match="one of fraudulent"):
        disputes.open_chargeback(shop.sale().pk, now=now(), reason="mood")
    with pytest.raises(Refused, match="No such dispute"):
        disputes.win("du_none", now=now())
    assert refusal(shop.v1.disputes.retrieve, "du_none").code == "resource_missing"
    assert refusal(shop.v1.refunds.retrieve, "re_none").code == "resource_missing"


def test_disputes_are_listed_by_payment_charge_and_time(shop):
    first, second = shop.sale(), shop.sale()
    old = disputes.open_chargeback(first.pk, 100, now=now() - timedelta(days=2))
    new = disputes.open_chargeback(second.pk, 100, now=now())
    listed = shop.v1.disputes.list
    assert [found.id for found in listed().data] == [new.pk, old.pk]
    assert [found.id for found in listed({"payment_intent": first.pk}).data] == [old.pk]
    assert [found.id for found in listed({"charge": second.charge_id}).data] == [new.pk]
    day_ago = int((now() - timedelta(days=1)).timestamp())
    assert [found.id for found in listed({"created": {"gte": day_ago}}).data] == [new.pk]
    rest = listed({"limit": 1, "starting_after": new.pk})
    assert ([found.id for found in rest.data], rest.has_more) == ([old.pk], False)
