"""The control page: what banks, time and a lost network do, at the push of a button."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from credits.staff_sessions import staff_required
from topups.sandbox import (
    bank,
    customers,
    deliveries,
    disputes,
    events,
    promotions,
    refunds,
    sessions,
)
from topups.sandbox.errors import Missing, Refused
from topups.sandbox.forms import ControlForm, PromotionCodeForm
from topups.sandbox.models import Customer, Event, PromotionCode, Session
from topups.sandbox.views.board import sale, terms

SALES_SHOWN = 20
EVENTS_SHOWN = 30
OTHERS_SHOWN = 10

# What can be done to something, as `action(id, now)`.
STEPS: dict[str, tuple[Callable[..., object], str]] = {
    "expire-session": (sessions.expire, "The session is expired."),
    "bank-accepts": (bank.accept, "The bank has paid."),
    "bank-refuses": (bank.refuse, "The bank has refused."),
    "settle-refund": (refunds.settle, "The refund has arrived."),
    "fail-refund": (refunds.fail, "The refund has failed."),
    "respond": (disputes.respond, "The evidence is submitted."),
    "escalate": (disputes.escalate, "The inquiry is a chargeback now."),
    "win": (disputes.win, "The dispute is won."),
    "lose": (disputes.lose, "The dispute is lost."),
    "appeal": (disputes.appeal, "The dispute is appealed."),
    "delete-customer": (customers.delete, "The customer is deleted."),
}
# What is done with an amount of a payment (all that is left if none is given), for a reason.
AMOUNTS: dict[str, tuple[Callable[..., object], str]] = {
    "dispute": (disputes.open_chargeback, "The payment is disputed."),
    "inquire": (disputes.open_inquiry, "The bank inquires about the payment."),
    "prevent": (disputes.prevent, "A dispute is prevented; the payer has the money back."),
}


@never_cache
@staff_required
@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """The newest sales, promotion codes, customers and events, with what can be done to each."""
    sessions.expire_due(now=timezone.now())
    shown = Session.objects.select_related("payment", "customer", "promotion_code")[:SALES_SHOWN]
    context = {
        "sales": [sale(session) for session in shown],
        "reasons": disputes.REASONS,
        "promotion_codes": [
            (code, terms(code)) for code in PromotionCode.objects.all()[:OTHERS_SHOWN]
        ],
        "customers": Customer.objects.order_by("-created_at", "-id")[:OTHERS_SHOWN],
        "events": Event.objects.prefetch_related("deliveries")[:EVENTS_SHOWN],
        "are_held": deliveries.are_held(),
        "waiting": deliveries.waiting().count(),
    }
    return render(request, "sandbox/control.html", context)


@staff_required
@require_POST
def act(request: HttpRequest, action: str) -> HttpResponse:
    """Do what a button says, and tell what came of it on the board."""
    do = ACTIONS.get(action)
    if do is None:
        raise Http404
    try:
        messages.success(request, do(request, action, timezone.now()))
    except Refused as refused:
        messages.error(request, refused.message)
    return HttpResponseRedirect(reverse("sandbox-control"))


def _step(request: HttpRequest, action: str, now: datetime) -> str:
    do, done = STEPS[action]
    do(_checked(ControlForm(request.POST))["id"], now=now)
    return done


def _refund(request: HttpRequest, action: str, now: datetime) -> str:
    said = _checked(ControlForm(request.POST))
    refunds.create(said["id"], said["amount"], now=now)
    return "The refund is made."


def _with_amount(request: HttpRequest, action: str, now: datetime) -> str:
    said = _checked(ControlForm(request.POST))
    do, done = AMOUNTS[action]
    do(said["id"], said["amount"], reason=said["reason"] or disputes.REASONS[0], now=now)
    return done


def _create_code(request: HttpRequest, action: str, now: datetime) -> str:
    form = PromotionCodeForm(request.POST)
    _checked(form)
    return f"The code {promotions.create(**form.terms(), now=now)} is made."


def _send_again(request: HttpRequest, action: str, now: datetime) -> str:
    event_id = _checked(ControlForm(request.POST))["id"]
    if not Event.objects.filter(pk=event_id).exists():
        raise Missing("event", event_id, param="id")
    events.send(event_id, again=True)
    return "The event is sent again."


def _hold(request: HttpRequest, action: str, now: datetime) -> str:
    deliveries.hold()
    return "Events are held back from now on."


def _release(request: HttpRequest, action: str, now: datetime) -> str:
    waiting = deliveries.release()
    for event_id in waiting:
        events.send(event_id)
    return f"Events go out again. Sent: {len(waiting)}."


def _drop(request: HttpRequest, action: str, now: datetime) -> str:
    return f"Events lost for good: {deliveries.drop(now=now)}."


def _checked(form: Form) -> dict[str, Any]:
    """What was said. Raises Refused with the first thing that is wrong with it."""
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        raise Refused(f"{name.replace('_', ' ').capitalize()}: {errors[0]}", param=name)
    return form.cleaned_data


ACTIONS: dict[str, Callable[[HttpRequest, str, datetime], str]] = {
    **dict.fromkeys(STEPS, _step),
    **dict.fromkeys(AMOUNTS, _with_amount),
    "refund": _refund,
    "create-code": _create_code,
    "send-again": _send_again,
    "hold": _hold,
    "release": _release,
    "drop": _drop,
}
