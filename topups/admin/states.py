"""The states of payments, refunds and disputes as colored labels."""

from collections.abc import Sequence

from django.utils.html import format_html_join

from credits.admin.base import label
from topups.models import Dispute, PaymentRefund, Purchase
from topups.money import format_amount

_PURCHASE = {"pending": "warning", "processing": "info", "failed": "danger", "paid": "success"}
_REFUND = {"requested": "warning", "refused": "danger", "failed": "danger", "succeeded": "success"}
_DISPUTE = {"lost": "danger", "won": "success"}


def purchase_label(purchase: Purchase) -> str:
    return label(purchase.get_status_display(), _PURCHASE.get(purchase.status, ""))


def refund_label(refund: PaymentRefund) -> str:
    return label(refund.get_status_display(), _REFUND.get(refund.status, "info"))


def dispute_label(dispute: Dispute) -> str:
    needs_us = "danger" if dispute.status.endswith("needs_response") else ""
    return label(dispute.get_status_display(), needs_us or _DISPUTE.get(dispute.status, "info"))


def money_back_labels(purchase: Purchase) -> str | None:
    """How much went back or may; of a purchase whose refunds and disputes are prefetched."""
    refunds, disputes = purchase.refunds.all(), purchase.disputes.all()
    inquiries = set(Dispute.UNSETTLED) - set(Dispute.OPEN)
    states: dict[tuple[str, str], Sequence[PaymentRefund | Dispute]] = {
        ("Refunded", "info"): [refund for refund in refunds if refund.is_given],
        ("Refund requested", "warning"): [refund for refund in refunds if refund.is_requested],
        ("Inquiry", "warning"): [dispute for dispute in disputes if dispute.status in inquiries],
        ("Disputed", "danger"): [dispute for dispute in disputes if dispute.is_open],
        ("Lost", "danger"): [dispute for dispute in disputes if dispute.is_lost],
    }
    labels = [
        label(f"{state} {_total(rows, purchase.currency)}", variant)
        for (state, variant), rows in states.items()
        if rows
    ]
    return format_html_join(" ", "{}", ((shown,) for shown in labels)) if labels else None


def _total(rows: Sequence[PaymentRefund | Dispute], currency: str) -> str:
    return format_amount(sum(row.amount_minor for row in rows), currency)
