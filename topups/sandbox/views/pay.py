"""The hosted page where a pretended payment is made."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from topups.money import format_amount
from topups.sandbox import payments, promotions, sessions
from topups.sandbox.errors import Missing, Refused
from topups.sandbox.forms import PayForm
from topups.sandbox.models import Payment, Session
from topups.sandbox.views.summary import lines


@never_cache
@require_http_methods(["GET", "POST"])
def pay(request: HttpRequest, session_id: str) -> HttpResponseBase:
    """Show a session and take a test card or a bank debit for it, as Stripe's page takes real ones.

    `action` says what a POST is about: `pay` (without it, too), `update` the total, `redeem` a
    promotion `code`, or `remove` it.
    """
    try:
        session = sessions.find(session_id, now=timezone.now())
    except Missing as missing:
        raise Http404 from missing
    if request.method == "GET" or session.status != Session.Status.OPEN:
        return _page(request, session, PayForm(None, session=session))
    try:
        return _act(request, session)
    except Refused as refused:
        messages.error(request, refused.message)
        return HttpResponseRedirect(request.path)


def _act(request: HttpRequest, session: Session) -> HttpResponseBase:
    action = request.POST.get("action", "pay")
    now = timezone.now()
    if action == "redeem":
        promotions.redeem(session.pk, request.POST.get("code", ""), now=now)
    elif action == "remove":
        promotions.remove(session.pk, now=now)
    else:
        return _enter(request, session, is_update=action == "update")
    return HttpResponseRedirect(request.path)


def _enter(request: HttpRequest, session: Session, *, is_update: bool) -> HttpResponseBase:
    """Take over what the customer typed; then pay, unless the total is not the one they saw."""
    form = PayForm(request.POST, session=session)
    if not form.is_valid():
        return _page(request, session, form, status=400)
    session = sessions.enter_billing(session.pk, form.billing(), now=timezone.now())
    seen = form.cleaned_data["total"]
    if is_update:
        return HttpResponseRedirect(request.path)
    if seen is not None and seen != session.amount_total:
        total = format_amount(session.amount_total, session.currency)
        messages.info(request, f"The total is {total} now. Please check it and go on.")
        return HttpResponseRedirect(request.path)
    return HttpResponseRedirect(_success_url(_pay(session, form)))


def _pay(session: Session, form: PayForm) -> Session:
    now, billing = timezone.now(), form.billing()
    if not session.amount_total:
        return sessions.complete_free(session.pk, now=now, billing=billing)
    if form.cleaned_data["method"] == Payment.Method.SEPA_DEBIT:
        return sessions.pay_by_bank(session.pk, now=now, billing=billing)
    return sessions.pay(session.pk, form.cleaned_data["card_number"], now=now, billing=billing)


def _page(
    request: HttpRequest, session: Session, form: PayForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "session": session,
        "form": form,
        "amount": format_amount(session.amount_total, session.currency),
        "lines": lines(session),
        "test_cards": payments.TEST_CARDS.items(),
        "success_url": _success_url(session),
    }
    return render(request, "sandbox/pay.html", context, status=status)


def _success_url(session: Session) -> str:
    return session.success_url.replace("{CHECKOUT_SESSION_ID}", session.pk)
