"""The pages where customers buy credits."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from credits import ledger
from credits.models import Organization
from credits.views import SignedInRequest
from topups import checkout, fulfillment, gateway
from topups.forms import TopUpForm
from topups.models import Plan, Purchase

logger = logging.getLogger(__name__)

PURCHASES_PER_PAGE = 50


@dataclass(frozen=True)
class Standing:
    """What the members of an organization may read about its credits."""

    organization: Organization
    balance: int | None  # None where it is hidden.


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def top_up(request: SignedInRequest) -> HttpResponseBase:
    """Offer the plans; choosing one leads to Stripe's page."""
    form = TopUpForm(request.POST if request.method == "POST" else None, user=request.user)
    if not form.organizations:
        return render(request, "topups/no_organization.html")
    now = timezone.now()
    if form.is_valid():
        return _start(request, form, now)
    plans = list(Plan.objects.filter(is_active=True))
    context = {
        "form": form,
        "plans": plans,
        "best_value": _best_value(plans),
        "standings": [_standing(organization, now) for organization in form.organizations.values()],
        "next_refill_at": ledger.next_refill_at(now),
    }
    return render(request, "topups/top_up.html", context, status=400 if form.errors else 200)


def _best_value(plans: list[Plan]) -> Plan | None:
    """The plan whose credits cost least, where all of several can be compared."""
    if len(plans) < 2 or len({plan.currency for plan in plans}) > 1:
        return None
    return min(plans, key=lambda plan: plan.amount_minor / plan.credits)


def _start(request: SignedInRequest, form: TopUpForm, now: datetime) -> HttpResponseBase:
    chosen = form.cleaned_data
    try:
        url = checkout.start(chosen["plan"], chosen["organization"], request.user, now=now)
    except gateway.PaymentServiceRefused:
        logger.exception("Stripe refuses to sell plan %s", chosen["plan"].pk)
        return render(request, "topups/refused.html", status=502)
    except gateway.PaymentServiceUnavailable:
        logger.exception("A checkout could not be started")
        return render(request, "topups/unavailable.html", status=503)
    return redirect(url)


def _standing(organization: Organization, now: datetime) -> Standing:
    shown = organization.show_balance
    return Standing(organization, ledger.balance(organization, now=now).total if shown else None)


@login_required
@never_cache
@require_GET
def top_up_return(request: SignedInRequest) -> HttpResponse:
    """Where Stripe sends the customer back: say what was added, adding it if nobody has yet."""
    purchase = get_object_or_404(
        Purchase.objects.select_related("organization"),
        # PostgreSQL takes no NUL.
        stripe_session_id=request.GET.get("session_id", "").replace("\0", ""),
        organization__in=request.user.organizations.all(),
    )
    try:
        purchase = checkout.check(purchase, now=timezone.now())
    except (gateway.GatewayError, fulfillment.Unfulfillable):
        # The page tells what we know; the webhook and the sweep go on trying.
        logger.exception("Purchase %s could not be confirmed", purchase.pk)
    return render(request, "topups/return.html", {"purchase": purchase})


@require_GET
def top_up_canceled(request: HttpRequest) -> HttpResponse:
    """Where Stripe sends a customer who went back; nothing happened, so nothing is done."""
    return render(request, "topups/canceled.html")


@login_required
@never_cache
@require_GET
def purchases(request: SignedInRequest) -> HttpResponse:
    """The purchases of the user's organizations, newest first."""
    found = Purchase.objects.filter(
        organization__in=request.user.organizations.all()
    ).select_related("organization", "buyer")
    page = Paginator(found, PURCHASES_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "topups/purchases.html", {"page": page})
