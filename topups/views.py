"""The pages where customers buy credits."""

import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from credits import ledger
from credits.models import Organization, User
from credits.views import SignedInRequest
from topups import checkout, fulfillment, gateway
from topups.forms import TopUpForm, offers
from topups.models import Price, Purchase

logger = logging.getLogger(__name__)

PURCHASES_PER_PAGE = 50


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
        chosen = form.cleaned_data
        return _to_stripe(
            request,
            lambda: checkout.start(chosen["price"], chosen["organization"], request.user, now=now),
        )
    organization = _shown_organization(request, form)
    prices = list(offers(organization))
    context = {
        "form": form,
        "organization": organization,
        "prices": prices,
        "best_value": _best_value(prices),
        "balance": ledger.balance(organization, now=now) if organization.show_balance else None,
        "next_refill_at": ledger.next_refill_at(now),
        "automatic_tax": settings.STRIPE_AUTOMATIC_TAX,
        "open_purchases": _open_purchases(organization, now),
    }
    return render(request, "topups/top_up.html", context, status=400 if form.errors else 200)


def _shown_organization(request: HttpRequest, form: TopUpForm) -> Organization:
    """The one posted or named by `?organization=`, or the first. Raises Http404 for others."""
    first = next(iter(form.organizations))
    posted = form.data.get("organization")
    public_id = posted if posted in form.organizations else request.GET.get("organization", first)
    try:
        return form.organizations[public_id]
    except KeyError as error:
        raise Http404 from error


def _best_value(prices: list[Price]) -> Price | None:
    """The price at which a credit costs least, where there are several."""
    if len(prices) < 2:
        return None
    return min(prices, key=lambda price: price.amount_minor / price.plan.credits)


def _open_purchases(organization: Organization, now: datetime) -> QuerySet[Purchase]:
    """Checkouts that were left and can still be paid."""
    return organization.purchases.filter(
        status=Purchase.Status.PENDING, created_at__gt=now - checkout.SESSION_LIFETIME
    )


def _to_stripe(request: HttpRequest, find_page: Callable[[], str | None]) -> HttpResponseBase:
    """Send the customer on to where they pay, or say kindly that it cannot be done now."""
    try:
        return redirect(find_page() or "purchases")
    except gateway.PaymentServiceRefused:
        logger.exception("Stripe refuses a checkout")
        return render(request, "topups/refused.html", status=502)
    except (gateway.PaymentServiceUnavailable, fulfillment.Unfulfillable):
        logger.exception("A checkout could not be opened")
        return render(request, "topups/unavailable.html", status=503)


@login_required
@never_cache
@require_GET
def top_up_return(request: SignedInRequest) -> HttpResponse:
    """Where Stripe sends the customer back: say what was added, adding it if nobody has yet."""
    purchase = get_object_or_404(
        _purchases(request.user),
        # PostgreSQL takes no NUL.
        stripe_session_id=request.GET.get("session_id", "").replace("\0", ""),
    )
    try:
        purchase = checkout.check(purchase, now=timezone.now())
    except (gateway.GatewayError, fulfillment.Unfulfillable):
        # The page tells what we know; the webhook and the sweep go on trying.
        logger.exception("Purchase %s could not be confirmed", purchase.pk)
    return render(request, "topups/return.html", {"purchase": purchase})


@login_required
@never_cache
@require_GET
def resume(request: SignedInRequest, purchase_id: UUID) -> HttpResponseBase:
    """Go on with a checkout that was left; the list of purchases where it is too late."""
    purchase = get_object_or_404(_purchases(request.user), pk=purchase_id)
    return _to_stripe(request, lambda: checkout.resume(purchase, now=timezone.now()))


@login_required
@never_cache
@require_GET
def document(request: SignedInRequest, purchase_id: UUID, kind: str) -> HttpResponseBase:
    """Lead to the receipt or the invoice at Stripe, whose addresses change now and then."""
    purchase = get_object_or_404(
        _purchases(request.user), pk=purchase_id, status=Purchase.Status.PAID
    )
    return _to_stripe(request, lambda: _document_url(purchase, kind))


def _document_url(purchase: Purchase, kind: str) -> str:
    assert purchase.stripe_session_id is not None
    url: str | None = getattr(gateway.find_documents(purchase.stripe_session_id), kind)
    if url is None:
        raise Http404
    return url


@require_GET
def top_up_canceled(request: HttpRequest, purchase_id: UUID | None = None) -> HttpResponse:
    """Where Stripe sends a customer who went back; nothing happened, so nothing is done."""
    return render(request, "topups/canceled.html", {"purchase_id": purchase_id})


@login_required
@never_cache
@require_GET
def purchases(request: SignedInRequest) -> HttpResponse:
    """The purchases of the user's organizations, newest first."""
    page = Paginator(_purchases(request.user), PURCHASES_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "topups/purchases.html", {"page": page})


def _purchases(user: User) -> QuerySet[Purchase]:
    found = Purchase.objects.filter(organization__in=user.organizations.all())
    return found.select_related("organization", "buyer").prefetch_related("refunds", "disputes")
