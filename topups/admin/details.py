"""What the page of one purchase tells beside its form: credits, money back, and who did what."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.functional import cached_property

from credits.admin.base import link
from credits.admin.tables import number, table
from credits.counting import counted
from credits.models import Clawback, Grant
from topups.admin.states import dispute_label, refund_label
from topups.models import Dispute, PaymentRefund, Purchase


class Details:
    """Read by the templates around the change form, each part in its own table."""

    def __init__(self, purchase: Purchase) -> None:
        self.purchase = purchase

    @cached_property
    def grant(self) -> Grant | None:
        grants = Grant.objects.select_related("clawback")
        return grants.filter(purchase_id=self.purchase.pk).first()

    @property
    def warnings(self) -> list[str]:
        purchase, warnings = self.purchase, []
        if self.grant and (shortfall := _clawback(self.grant).shortfall):
            warnings.append(
                f"Shortfall: {purchase.organization} no longer had {counted(shortfall)} when the "
                "money went back. They are not taken from its other credits unless staff do so. "
                "Should a spend of them be refunded, they are taken back then."
            )
        if purchase.check_error and not purchase.is_decided:
            times = "once" if purchase.failed_checks == 1 else f"{purchase.failed_checks} times"
            warnings.append(f"Checking with Stripe failed {times}: {purchase.check_error}")
        return warnings

    @property
    def credits(self) -> dict[str, Any]:
        headers = ("Grant", "Given", "Left", "Taken back", "Frozen", "Taken elsewhere", "Shortfall")
        return table(headers, [_grant_row(self.grant)] if self.grant else [])

    @property
    def refunds(self) -> dict[str, Any]:
        headers = ("When", "Amount", "Status", "By", "Reason", "Refund", "Error")
        refunds = self.purchase.refunds.select_related("purchase", "requested_by")
        return table(headers, map(_refund_row, refunds))

    @property
    def disputes(self) -> dict[str, Any]:
        headers = ("When", "Amount", "Status", "Reason", "Answer by", "Dispute")
        return table(headers, map(_dispute_row, self.purchase.disputes.select_related("purchase")))

    @property
    def log(self) -> dict[str, Any]:
        entries = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(Purchase),
            object_id=str(self.purchase.pk),
        )
        rows = (
            [entry.action_time, entry.user, entry.get_change_message()]
            for entry in entries.select_related("user")
        )
        return table(("When", "Who", "What"), rows)


def _clawback(grant: Grant) -> Clawback:
    """What is taken back of a grant; nothing where it never came to that."""
    nothing = Clawback(
        revoke_credits=0,
        freeze_credits=0,
        revoked_credits=0,
        frozen_credits=0,
        collected_credits=0,
    )
    return getattr(grant, "clawback", nothing)


def _grant_row(grant: Grant) -> list[Any]:
    clawback = _clawback(grant)
    credits = (
        grant.amount,
        grant.remaining,
        clawback.revoked_credits,
        clawback.frozen_credits,
        clawback.collected_credits,
        clawback.shortfall,
    )
    return [link(grant), *map(number, credits)]


def _refund_row(refund: PaymentRefund) -> list[Any]:
    return [
        refund.created_at,
        refund.amount,
        refund_label(refund),
        refund.requested_by or "Stripe's dashboard",
        refund.reason,
        link(refund, refund.stripe_refund_id or "Not at Stripe"),
        refund.error,
    ]


def _dispute_row(dispute: Dispute) -> list[Any]:
    return [
        dispute.created_at,
        dispute.amount,
        dispute_label(dispute),
        dispute.reason,
        dispute.respond_by,
        link(dispute, dispute.pk),
    ]
