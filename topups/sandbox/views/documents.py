"""The receipt and the invoice of a payment."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from topups.sandbox import resources
from topups.sandbox.models import Invoice, Payment, Session


@never_cache
@require_GET
def receipt(request: HttpRequest, charge_id: str) -> HttpResponse:
    """What was paid and what of it went back."""
    session = Session.objects.filter(
        payment__charge_id=charge_id, payment__status=Payment.Status.SUCCEEDED
    ).first()
    if session is None:
        raise Http404
    return _document(request, session, title="Receipt", number=charge_id)


@never_cache
@require_GET
def invoice(request: HttpRequest, invoice_id: str) -> HttpResponse:
    """The invoice of a sale, paid in full."""
    found = Invoice.objects.select_related("session").filter(id=invoice_id).first()
    if found is None:
        raise Http404
    number = resources.invoice_number(found)
    return _document(request, found.session, title="Invoice", number=number)


def _document(request: HttpRequest, session: Session, *, title: str, number: str) -> HttpResponse:
    payment = session.payment
    context = {
        "title": title,
        "number": number,
        "session": session,
        "payment": payment,
        "refunds": payment.refunds.order_by("created_at") if payment else [],
    }
    return render(request, "sandbox/document.html", context)
