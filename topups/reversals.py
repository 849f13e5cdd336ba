"""Money that went back, therefore credits taken back.

What counts is the last Stripe has told of each refund and dispute, whichever came first: from these
facts alone `settle` computes what is to be taken back and what frozen, and the ledger brings the
purchase's grant there.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from credits import ledger
from credits.models import User
from topups import fulfillment, money_back, notifications
from topups.fulfillment import Unfulfillable
from topups.gateway import Dispute as DisputeFact
from topups.gateway import Refund as RefundFact
from topups.models import Dispute, PaymentRefund, Purchase

# A refund we hear of later has long been on the buyer's bank statement.
NEWS = timedelta(days=7)
_TOLD_OF_A_DISPUTE = ("amount_minor", "status", "is_withdrawn", "reason", "respond_by")


class UnknownStatus(Unfulfillable):
    """Stripe uses a status this program has not learned yet."""


class WrongCurrency(Unfulfillable):
    """Money went back in another currency than it came in."""


def purchase_paid_by(payment_intent: str) -> UUID | None:
    """The purchase a payment paid for, as far as we know."""
    known = Purchase.objects.filter(stripe_payment_intent_id=payment_intent)
    return known.exclude(stripe_payment_intent_id="").values_list("pk", flat=True).first()


@transaction.atomic
def apply_refund(purchase_id: UUID, fact: RefundFact, *, now: datetime) -> bool:
    """Take in what Stripe tells of a refund, and tell whether that was news.

    The buyer gets an email when the money is on its way, unless that was long ago. Raises
    `Unfulfillable`.
    """
    purchase = fulfillment.lock(purchase_id)
    _check_status(fact, PaymentRefund.Status.values)
    if fact.currency != purchase.currency:
        raise WrongCurrency(f"{fact.id} is in {fact.currency}, not in {purchase.currency}.")
    refund = _refund(purchase, fact)
    if not _is_newer(fact, refund):
        return False
    was_given, is_news = refund.is_given, refund.status != fact.status
    refund.stripe_refund_id = fact.id
    refund.status, refund.as_of = fact.status, fact.as_of
    refund.error, refund.next_attempt_at = fact.failure_reason, None
    refund.save()
    if is_news:
        settle(purchase, reason=f"Refund {fact.id} of {refund.amount}: {fact.status}", now=now)
    if refund.is_given and not was_given and now - fact.created_at < NEWS:
        notifications.refund_made(refund, now=now)
    elif is_news and refund.status == PaymentRefund.Status.FAILED:
        notifications.alert_failed_refund(refund, now=now)
    return is_news


@transaction.atomic
def apply_dispute(purchase_id: UUID, fact: DisputeFact, *, now: datetime) -> bool:
    """Take in what Stripe tells of a dispute, and tell whether that was news.

    Staff get an email when it waits for their answer. Raises `Unfulfillable`.
    """
    purchase = fulfillment.lock(purchase_id)
    _check_status(fact, Dispute.Status.values)
    dispute = purchase.disputes.filter(pk=fact.id).first() or Dispute(
        pk=fact.id, purchase=purchase, created_at=fact.created_at
    )
    if not _is_newer(fact, dispute):
        return False
    told = {name: getattr(fact, name) for name in _TOLD_OF_A_DISPUTE}
    if fact.currency != purchase.currency:
        # Nobody says how much of the payment that is, so it is all of it.
        told["amount_minor"] = purchase.paid_minor
    is_news = told != {name: getattr(dispute, name) for name in _TOLD_OF_A_DISPUTE}
    for name, value in told.items():
        setattr(dispute, name, value)
    dispute.as_of = fact.as_of
    dispute.save()
    if is_news:
        settle(purchase, reason=f"Dispute {fact.id} of {dispute.amount}: {fact.status}", now=now)
        notifications.alert_dispute(dispute, now=now)
    return is_news


def _check_status(fact: RefundFact | DisputeFact, known: list[str]) -> None:
    if fact.status not in known:
        raise UnknownStatus(f"{fact.id} is {fact.status}, which is unknown here.")


def _refund(purchase: Purchase, fact: RefundFact) -> PaymentRefund:
    """The refund Stripe tells of: known by its id, asked for here, or made in the dashboard."""
    known = purchase.refunds.filter(stripe_refund_id=fact.id).first()
    if known is None and fact.request_id:
        known = purchase.refunds.filter(pk=fact.request_id, stripe_refund_id=None).first()
    return known or PaymentRefund(
        purchase=purchase, amount_minor=fact.amount_minor, created_at=fact.created_at
    )


def _is_newer(fact: RefundFact | DisputeFact, row: PaymentRefund | Dispute) -> bool:
    """Whether Stripe said it later than what we know, or further on within the same second."""
    if row.as_of is None:
        return True
    order = row.Status.values
    news, known = (
        (told.as_of, order.index(told.status), getattr(told, "is_withdrawn", False))
        for told in (fact, row)
    )
    return news > known


def settle(purchase: Purchase, *, reason: str, now: datetime, actor: User | None = None) -> None:
    """Bring the credits of a locked, paid purchase to where its refunds and disputes stand.

    Money that is gone takes its share of the credits; money of which that is not sure yet, disputed
    or about to be given back, freezes its share.
    """
    gone_minor = money_gone(purchase)
    money_back.post(purchase, gone_minor, now=now)
    revoke = share(purchase, gone_minor)
    freeze = share(purchase, gone_minor + money_unsure(purchase)) - revoke
    ledger.claw_back(purchase.pk, revoke=revoke, freeze=freeze, reason=reason, actor=actor, now=now)


def post_missed(*, now: datetime) -> None:
    """Write the lines of money that went back while a release ran that wrote none."""
    for purchase_id in money_back.missed():
        with transaction.atomic():
            purchase = fulfillment.lock(purchase_id)
            money_back.post(purchase, money_gone(purchase), now=now)


def money_gone(purchase: Purchase) -> int:
    """How much of its payment was given back or lost, in the currency's smallest unit."""
    refunds = (refund.amount_minor for refund in purchase.refunds.all() if refund.is_given)
    disputes = (dispute.amount_minor for dispute in purchase.disputes.all() if dispute.is_lost)
    return sum(refunds) + sum(disputes)


def money_unsure(purchase: Purchase) -> int:
    """How much of it is disputed or about to be given back, in the currency's smallest unit."""
    refunds = (refund.amount_minor for refund in purchase.refunds.all() if refund.is_requested)
    disputes = (dispute.amount_minor for dispute in purchase.disputes.all() if dispute.is_open)
    return sum(refunds) + sum(disputes)


def share(purchase: Purchase, amount_minor: int) -> int:
    """The credits that so much of a purchase's payment bought, rounded down to whole ones."""
    if not purchase.paid_minor:
        return 0
    return purchase.credits * min(amount_minor, purchase.paid_minor) // purchase.paid_minor
