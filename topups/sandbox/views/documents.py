"""The receipt and the invoice of a payment."""

from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from topups.money import format_amount
from topups.sandbox import resources
from topups.sandbox.models import Invoice, Payment, Refund, Session
from topups.sandbox.tax import COUNTRIES
from topups.sandbox.views.summary import lines


@never_cache
@require_GET
def receipt(request: HttpRequest, charge_id: str) -> HttpResponse:
    """What was paid and what of it went back."""
    session = Session.objects.filter(
        payment__charge_id=charge_id, payment__status=Payment.Status.SUCCEEDED
    ).first()
    if session is None:
        raise Http404
    return _document(request, session, "Receipt", charge_id, session.created_at)


@never_cache
@require_GET
def invoice(request: HttpRequest, invoice_id: str) -> HttpResponse:
    """The invoice of a sale, paid in full."""
    found = Invoice.objects.select_related("session").filter(id=invoice_id).first()
    if found is None:
        raise Http404
    number = resources.invoice_number(found)
    return _document(request, found.session, "Invoice", number, found.created_at)


def _document(
    request: HttpRequest, session: Session, title: str, number: str, date: datetime
) -> HttpResponse:
    context = {
        "title": title,
        "number": number,
        "date": date,
        "session": session,
        "country": COUNTRIES.get(session.country, session.country),
        "subtotal": format_amount(session.amount_subtotal, session.currency),
        "lines": lines(session),
        "total": format_amount(session.amount_total, session.currency),
        "refunds": _refunds(session),
    }
    return render(request, "sandbox/document.html", context)


def _refunds(session: Session) -> list[tuple[Refund, str]]:
    """The refunds that did not fail, with their amounts."""
    kept = Refund.objects.filter(payment__session=session).exclude(status=Refund.Status.FAILED)
    return [
        (refund, format_amount(refund.amount, session.currency))
        for refund in kept.order_by("created_at")
    ]
