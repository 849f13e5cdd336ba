"""The outside of a purchase: a buyer, a bank and Stripe, played by the sandbox."""

import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from buying import signed
from django.test import Client
from django.utils import timezone

from credits.models import Clawback, Grant, Membership, Organization, User
from topups import checkout
from topups.models import Plan, Price, Purchase
from topups.sandbox import bank, disputes, models, promotions, refunds, sessions
from topups.sandbox.errors import Refused

GOOD_CARD = "4242 4242 4242 4242"
OPEN = ("needs_response", "under_review", "appeal_needs_response", "appeal_under_review")


class World:
    """One purchase and all that happens to its money; time goes on by a second each time."""

    def __init__(self, *, credits: int = 500, amount_minor: int = 10_00) -> None:
        self.now = timezone.now().replace(microsecond=0) - timedelta(hours=1)
        organization = Organization.objects.create(name="Acme", weekly_credits=0)
        buyer = User.objects.create_user(f"{organization.public_id}@example.com")
        Membership.objects.create(organization=organization, user=buyer)
        plan = Plan.objects.create(name="Any", credits=credits, is_active=False)
        price = Price.objects.create(plan=plan, amount_minor=amount_minor, currency="usd")
        checkout.start(price, organization, buyer, now=timezone.now())
        self.organization = organization
        self.purchase = Purchase.objects.get(organization=organization)
        self.session = models.Session.objects.get(pk=self.purchase.stripe_session_id)

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    # What people and banks do; what Stripe refuses does not happen.

    def pay(self) -> None:
        sessions.pay(self.session.pk, GOOD_CARD, now=self.tick())

    def pay_by_bank(self) -> None:
        sessions.pay_by_bank(self.session.pk, now=self.tick())

    def pay_with_a_code(self, percent_off: int) -> None:
        code = self.organization.public_id.removeprefix("org_")
        promotions.create(code, percent_off=percent_off, now=self.tick())
        promotions.redeem(self.session.pk, code, now=self.now)
        if percent_off == 100:
            sessions.complete_free(self.session.pk, now=self.now)
        else:
            self.pay()

    def bank_pays(self) -> None:
        bank.accept(self.payment.pk, now=self.tick())

    def bank_refuses(self) -> None:
        bank.refuse(self.payment.pk, now=self.tick())

    def expire(self) -> None:
        sessions.expire(self.session.pk, now=self.tick())

    def refund(self, amount_minor: int | None = None) -> None:
        with contextlib.suppress(Refused):
            refunds.create(self.payment.pk, amount_minor, now=self.tick())

    def fail_refund(self) -> None:
        self._with_newest(self.payment.refunds, refunds.fail)

    def dispute(self, amount_minor: int | None = None) -> None:
        with contextlib.suppress(Refused):
            disputes.open_chargeback(self.payment.pk, amount_minor, now=self.tick())

    def inquire(self, amount_minor: int | None = None) -> None:
        with contextlib.suppress(Refused):
            disputes.open_inquiry(self.payment.pk, amount_minor, now=self.tick())

    def prevent(self, amount_minor: int | None = None) -> None:
        with contextlib.suppress(Refused):
            disputes.prevent(self.payment.pk, amount_minor, now=self.tick())

    def respond(self) -> None:
        self._with_newest(self.payment.disputes, disputes.respond)

    def escalate(self) -> None:
        self._with_newest(self.payment.disputes, disputes.escalate)

    def win(self) -> None:
        self._with_newest(self.payment.disputes, disputes.win)

    def lose(self) -> None:
        self._with_newest(self.payment.disputes, disputes.lose)

    def appeal(self) -> None:
        self._with_newest(self.payment.disputes, disputes.appeal)

    def _with_newest(self, things: Any, do: Any) -> None:
        newest = things.order_by("-created_at", "-pk").first()
        with contextlib.suppress(Refused):
            if newest:
                do(newest.pk, now=self.tick())

    # What is true at Stripe in the end.

    @property
    def payment(self) -> models.Payment:
        self.session.refresh_from_db()
        return self.session.payment

    def events(self) -> list[dict[str, Any]]:
        """All that Stripe has told of this purchase, as recorded, oldest first."""
        ids = {self.session.pk}
        if payment := self.payment:
            ids.update(payment.refunds.values_list("pk", flat=True))
            ids.update(payment.disputes.values_list("pk", flat=True))
        told = models.Event.objects.order_by("created_at").values_list("payload", flat=True)
        return [event for event in told if event["data"]["object"]["id"] in ids]

    def is_paid(self) -> bool:
        self.session.refresh_from_db()
        return self.session.payment_status in ("paid", "no_payment_required")

    def expected(self, used: int = 0) -> dict[str, int]:
        """What the facts at Stripe make of the credits, of which so many were used before."""
        credits = self.purchase.credits
        gone = unsure = paid = 0
        if payment := self.payment:
            paid = payment.amount
            given = payment.refunds.filter(status__in=("pending", "succeeded"))
            gone = sum(refund.amount for refund in given)
            for dispute in payment.disputes.all():
                prevented = dispute.status == "prevented" and not dispute.reinstated_at
                if dispute.status == "lost" or prevented:
                    gone += dispute.amount
                elif dispute.status in OPEN:
                    unsure += dispute.amount
        revoke = credits * min(gone, paid) // paid if paid else 0
        withhold = credits * min(gone + unsure, paid) // paid if paid else 0
        unused = credits - used
        revoked = min(revoke, unused)
        frozen = min(withhold - revoke, unused - revoked)
        return {
            "remaining": unused - revoked - frozen,
            "revoked": revoked,
            "frozen": frozen,
            "shortfall": revoke - revoked,
        }

    def found(self) -> dict[str, int]:
        """What our side has made of it."""
        grant = Grant.objects.get(purchase_id=self.purchase.pk)
        clawback = Clawback.objects.filter(grant=grant).first()
        return {
            "remaining": grant.remaining,
            "revoked": clawback.revoked_credits if clawback else 0,
            "frozen": clawback.frozen_credits if clawback else 0,
            "shortfall": clawback.shortfall if clawback else 0,
        }


def deliver(events: Iterable[dict[str, Any]]) -> list[int]:
    """Send events to the webhook, as signed by Stripe; the statuses it answers."""
    client = Client()
    return [client.post("/stripe/webhook/", **signed(event)).status_code for event in events]


def shuffled(events: list[dict[str, Any]], random: Random) -> list[dict[str, Any]]:
    """In any order, some of them twice."""
    repeated = random.sample(events, random.randint(0, len(events)))
    return random.sample([*events, *repeated], len(events) + len(repeated))
