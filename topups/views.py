"""The pages where customers buy credits."""

import logging
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from redis.exceptions import RedisError

from credits import ledger
from credits.models import Organization, User
from credits.views.base import SignedInRequest, chosen_organization
from topups import billing, checkout, fulfillment, gateway
from topups.forms import TopUpForm, offers
from topups.models import Price, Purchase
from topups.standing import Standing

logger = logging.getLogger(__name__)

PURCHASES_PER_PAGE = 50
# While a page waits for its purchase, Stripe is asked about it this often at most.
CHECK_EVERY_SECONDS = 30


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def top_up(request: SignedInRequest) -> HttpResponseBase:
    """Offer the plans; choosing one leads to Stripe's page."""
    form = TopUpForm(request.POST if request.method == "POST" else None, user=request.user)
    if not form.organizations:
        return render(request, "credits/no_organization.html")
    now = timezone.now()
    if form.is_valid():
        price, organization = form.cleaned_data["price"], form.cleaned_data["organization"]
        return _to_stripe(
            request, lambda: checkout.start(price, organization, request.user, now=now)
        )
    organization = _shown_organization(request, form)
    prices = list(offers(organization))
    context = {
        "form": form,
        "organizations": form.organizations.values(),
        "organization": organization,
        "currency": billing.currency_of(organization),
        "prices": prices,
        "best_value": _best_value(prices),
        "balance": ledger.balance(organization, now=now) if organization.show_balance else None,
        "next_refill_at": ledger.next_refill_at(now),
        "automatic_tax": settings.STRIPE_AUTOMATIC_TAX,
        "open_purchases": _open_purchases(organization, request.user, now),
    }
    return render(request, "topups/top_up.html", context, status=400 if form.errors else 200)


def _shown_organization(request: HttpRequest, form: TopUpForm) -> Organization:
    """The one posted, or else the one chosen on the pages. Raises Http404 for others."""
    posted = form.organizations.get(form.data.get("organization", ""))
    return posted or chosen_organization(request, form.organizations.values())


def _best_value(prices: list[Price]) -> Price | None:
    """The price at which a credit costs least, where there are several."""
    if len(prices) < 2:
        return None
    return min(prices, key=lambda price: price.amount_minor / price.plan.credits)


def _open_purchases(organization: Organization, buyer: User, now: datetime) -> list[Purchase]:
    """Checkouts the buyer left that can still be paid."""
    pending = organization.purchases.filter(buyer=buyer, status=Purchase.Status.PENDING)
    return [purchase for purchase in pending if Standing(purchase, now).can_be_paid]


def _to_stripe(
    request: HttpRequest, find_page: Callable[[], str | None], otherwise: str = ""
) -> HttpResponseBase:
    """Send the customer on to a page at Stripe, or say kindly why not.

    Where there is no such page, the list of purchases opens, and `otherwise` says why; if it says
    nothing, the checkout is closed.
    """
    try:
        if page := find_page():
            return _lead_on(request, page)
        closed = _("This checkout is closed. Below is what became of it.")
        messages.info(request, otherwise or closed)
    except gateway.PaymentServiceRefused:
        logger.exception("Stripe refuses a request of a customer")
        return render(request, "topups/refused.html", status=502)
    except gateway.PaymentServiceUnavailable:
        logger.exception("Stripe is unavailable to a customer")
        return render(request, "topups/unavailable.html", status=503)
    except fulfillment.Unfulfillable:
        logger.exception("A payment cannot be confirmed")
        unconfirmed = _(
            "We could not confirm this payment. We have been told and look into it: please don’t "
            "pay again."
        )
        messages.error(request, unconfirmed)
    return redirect("purchases")


def _lead_on(request: HttpRequest, url: str) -> HttpResponseBase:
    """Go on to a page at Stripe.

    A form may lead only to where the Content-Security-Policy says, which a checkout domain of our
    own (https://docs.stripe.com/payments/checkout/custom-domains) is not: a page leads on to it.
    """
    parts = urlsplit(url)
    may_forms_lead_there = f"{parts.scheme}://{parts.netloc}" in (
        settings.BASE_URL,
        settings.STRIPE_CHECKOUT_ORIGIN,
    )
    if request.method != "POST" or may_forms_lead_there:
        return redirect(url)
    return render(request, "topups/leaving.html", {"url": url})


@login_required
@never_cache
@require_safe
def top_up_return(request: SignedInRequest) -> HttpResponse:
    """Where Stripe sends the customer back: say what was added, adding it if nobody has yet."""
    purchase = get_object_or_404(
        _purchases(request.user),
        # PostgreSQL takes no NUL.
        stripe_session_id=request.GET.get("session_id", "").replace("\0", ""),
    )
    return _outcome(request, _checked(purchase), "topups/return.html")


@login_required
@never_cache
@require_safe
def state(request: SignedInRequest, purchase_id: UUID) -> HttpResponse:
    """What the page that waits for a purchase shows of it now, without the frame around it."""
    purchase = get_object_or_404(_purchases(request.user), pk=purchase_id)
    # A bank takes days and is waited for without asking: its answer is told to us.
    is_asked = purchase.status == Purchase.Status.PENDING and _is_due(purchase)
    purchase = _checked(purchase) if is_asked else purchase
    return _outcome(request, purchase, "topups/_outcome.html")


def _is_due(purchase: Purchase) -> bool:
    """Whether Stripe was not asked just now; without the cache nobody can say, and we don't ask."""
    try:
        return cache.add(f"purchase-checked-{purchase.pk}", True, CHECK_EVERY_SECONDS)
    except RedisError:
        return False


def _checked(purchase: Purchase) -> Purchase:
    """The purchase after Stripe was asked about it, or as we know it where that fails."""
    try:
        return checkout.check(purchase, now=timezone.now())
    except (gateway.GatewayError, fulfillment.Unfulfillable):
        # The webhook and the sweep go on trying.
        logger.exception("Purchase %s could not be confirmed", purchase.pk)
        return purchase


def _outcome(request: HttpRequest, purchase: Purchase, template: str) -> HttpResponse:
    standing = Standing(purchase, timezone.now())
    return render(request, template, {"purchase": purchase, "standing": standing})


@login_required
@never_cache
@require_safe
def top_up_canceled(request: SignedInRequest, purchase_id: UUID) -> HttpResponseBase:
    """Where Stripe sends a customer who went back; nothing happened, so nothing is done."""
    purchase = get_object_or_404(_purchases(request.user), pk=purchase_id)
    standing = Standing(purchase, timezone.now())
    if not standing.can_be_paid:
        return redirect("purchases")
    return render(request, "topups/canceled.html", {"purchase": purchase})


@login_required
@never_cache
@require_safe
def resume(request: SignedInRequest, purchase_id: UUID) -> HttpResponseBase:
    """Go on with a checkout that was left."""
    purchase = get_object_or_404(_purchases(request.user), pk=purchase_id)
    return _to_stripe(request, lambda: checkout.resume(purchase, now=timezone.now()))


@login_required
@never_cache
@require_safe
def document(request: SignedInRequest, purchase_id: UUID, kind: str) -> HttpResponseBase:
    """Lead to the receipt or the invoice at Stripe, whose addresses change now and then."""
    purchase = get_object_or_404(
        _purchases(request.user), pk=purchase_id, status=Purchase.Status.PAID
    )
    missing = {
        "receipt": _("There is no receipt for this purchase."),
        "invoice": _("There is no invoice for this purchase."),
    }
    return _to_stripe(request, lambda: _document_url(purchase, kind), missing[kind])


def _document_url(purchase: Purchase, kind: str) -> str | None:
    assert purchase.stripe_session_id is not None
    try:
        url: str | None = getattr(gateway.find_documents(purchase.stripe_session_id), kind)
    except gateway.PaymentServiceRefused:
        logger.exception("Stripe does not know the session of purchase %s", purchase.pk)
        return None
    return url


@login_required
@never_cache
@require_safe
def purchases(request: SignedInRequest) -> HttpResponse:
    """The purchases of the user's organizations, newest first."""
    page = Paginator(_purchases(request.user), PURCHASES_PER_PAGE).get_page(request.GET.get("page"))
    now = timezone.now()
    standings = [Standing(purchase, now) for purchase in page]
    return render(request, "topups/purchases.html", {"page": page, "standings": standings})


def _purchases(user: User) -> QuerySet[Purchase]:
    found = Purchase.objects.filter(organization__in=user.organizations.all())
    return found.select_related("organization", "buyer").prefetch_related("refunds", "disputes")
