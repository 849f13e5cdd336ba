"""What buyers and staff are told by email. Each goes out once, after the commit it tells of."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from credits import mail
from topups.models import Dispute, PaymentRefund, Purchase, StripeEvent
from topups.money import format_amount

# So many failed tries are no passing trouble.
ALERT_AFTER = 5


def receipt(purchase: Purchase, *, now: datetime) -> None:
    """Thank for a payment that arrived."""
    _tell(
        purchase,
        f"receipt-{purchase.pk}",
        "receipt",
        now,
        paid=purchase.paid,
        is_free=not purchase.paid_minor,
        facts=[
            (_("For"), purchase.organization.name),
            (_("Date"), date_format(now, _("F j, Y"))),
            *_calculation(purchase),
        ],
    )


def _calculation(purchase: Purchase) -> Iterator[tuple[str, str]]:
    """How the price became what was paid, line by line."""
    yield _("Price"), purchase.price
    if purchase.discount_minor:
        yield _("Discount"), f"-{format_amount(purchase.discount_minor, purchase.currency)}"
    if purchase.tax_minor:
        yield _("Tax"), format_amount(purchase.tax_minor, purchase.currency)
    yield _("Total"), purchase.paid


def payment_failed(purchase: Purchase, *, now: datetime) -> None:
    """Tell that the bank refused a payment that was waited for."""
    facts = [(_("For"), purchase.organization.name), (_("Price"), purchase.price)]
    _tell(purchase, f"payment-failed-{purchase.pk}", "payment_failed", now, facts=facts)


def refund_made(refund: PaymentRefund, *, now: datetime) -> None:
    """Tell that money is on its way back; how many credits were used is not told."""
    purchase = refund.purchase
    _tell(
        purchase,
        f"refund-{refund.pk}",
        "refund_made",
        now,
        amount=refund.amount,
        paid=purchase.paid,
        is_all=refund.amount_minor == purchase.paid_minor,
    )


def alert_failed_refund(refund: PaymentRefund, *, now: datetime) -> None:
    """Have staff find another way to give money back that the buyer's bank did not take."""
    mail.alert(
        f"refund-failed-{refund.pk}",
        "A refund failed",
        f"The buyer's bank did not take the refund of {refund.amount} ({refund.stripe_refund_id}) "
        f"for purchase {refund.purchase_id}. The credits are back with "
        f"{refund.purchase.organization}; the money still has to reach the buyer some other way.",
        now=now,
    )


def alert_dispute(dispute: Dispute, *, now: datetime) -> None:
    """Have staff answer a dispute that waits for them."""
    if not dispute.status.endswith("needs_response"):
        return
    by = f" by {dispute.respond_by:%Y-%m-%d %H:%M} UTC" if dispute.respond_by else ""
    mail.alert(
        f"dispute-{dispute.pk}-{dispute.status}",
        "A dispute needs an answer",
        f"{dispute.purchase.organization} disputes {dispute.amount} of purchase "
        f"{dispute.purchase_id} ({dispute.reason}). Answer {dispute.pk} in Stripe's dashboard{by}.",
        now=now,
    )


def alert_failing(
    what: StripeEvent | Purchase | PaymentRefund, attempts: int, error: str, *, now: datetime
) -> None:
    """Have staff look at what failed `ALERT_AFTER` times; it goes on being tried."""
    if attempts != ALERT_AFTER:
        return
    name = what._meta.verbose_name
    address = reverse(f"admin:topups_{what._meta.model_name}_change", args=[what.pk])
    mail.alert(
        f"failing-{what._meta.model_name}-{what.pk}",
        f"A {name} fails again and again",
        f"{what} failed {attempts} times, the last time with: {error} "
        f"It is tried on; see {settings.BASE_URL}{address}",
        now=now,
    )


def _tell(purchase: Purchase, key: str, template: str, now: datetime, **context: Any) -> None:
    mail.queue(
        key,
        to=purchase.buyer.email,
        template=template,
        context={
            "organization": purchase.organization.name,
            "credits": purchase.credits,
            "purchases_url": settings.BASE_URL + reverse("purchases"),
            "top_up_url": settings.BASE_URL + reverse("top-up"),
            **context,
        },
        now=now,
    )
