"""The hosted page where a pretended payment is made."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from topups.money import format_amount
from topups.sandbox import payments, sessions
from topups.sandbox.errors import Missing
from topups.sandbox.models import Session


@never_cache
@require_http_methods(["GET", "POST"])
def pay(request: HttpRequest, session_id: str) -> HttpResponseBase:
    """Show a session and take a test card for it, as Stripe's page takes a real one."""
    if request.method == "POST":
        return HttpResponseRedirect(_pay(request, session_id))
    return _page(request, session_id)


def _pay(request: HttpRequest, session_id: str) -> str:
    """Where to go after an attempt to pay: on, or back to this page, which says what is wrong."""
    card_number = request.POST.get("card_number", "")
    try:
        return _success_url(sessions.pay(session_id, card_number, now=timezone.now()))
    except Missing as missing:
        raise Http404 from missing
    except payments.CardDeclined as declined:
        messages.error(request, str(declined))
    except sessions.NotOpen:
        pass  # Paid or expired meanwhile: the page says so.
    return request.path


def _page(request: HttpRequest, session_id: str) -> HttpResponse:
    try:
        session = sessions.find(session_id, now=timezone.now())
    except Missing as missing:
        raise Http404 from missing
    context = {
        "session": session,
        "amount": format_amount(session.amount_total, session.currency),
        "test_cards": payments.TEST_CARDS.items(),
        "success_url": _success_url(session),
    }
    return render(request, "sandbox/pay.html", context)


def _success_url(session: Session) -> str:
    return session.success_url.replace("{CHECKOUT_SESSION_ID}", session.pk)
