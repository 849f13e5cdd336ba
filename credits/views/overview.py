"""The home page of customers, and their spends."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from credits import ledger, reports, wording
from credits.charts import UsageChart, days_until
from credits.models import Membership, Organization, Spend
from credits.views.base import SignedInRequest, chosen_organization, visible_organization
from credits.views.export import PeriodForm

PERIODS_DAYS = (7, 30, 90)
DEFAULT_PERIOD_DAYS = 30
LATEST_SPENDS = 10
SPENDS_PER_PAGE = 50


@login_required
@never_cache
@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    """What there is to know about an organization's credits, and where to go from there."""
    organizations = list(request.user.organizations.all())
    if not organizations:
        return render(request, "credits/no_organization.html")
    organization = chosen_organization(request, organizations)
    now = timezone.now()
    context = {
        "organization": organization,
        "organizations": organizations,
        "owns_it": request.user.memberships.filter(
            organization=organization, role=Membership.Role.OWNER
        ).exists(),
        "next_refill": wording.next_refill(organization.weekly_credits, now=now),
    }
    if organization.show_balance:
        context |= _balance_and_usage(organization, _period_days(request), now)
    return render(request, "credits/overview.html", context)


def _balance_and_usage(organization: Organization, days: int, now: datetime) -> dict[str, Any]:
    """What only those organizations get to see whose balance and usage staff show."""
    shown_days = days_until(now.astimezone(UTC).date(), days)
    first, today = shown_days[0], shown_days[-1]
    usage = reports.daily_usage(organization, first=first, last=today)
    return {
        "balance": ledger.balance(organization, now=now),
        "lapses_at": ledger.next_refill_at(now),
        "days": days,
        "periods": PERIODS_DAYS,
        "chart": UsageChart(usage, shown_days),
        "export": PeriodForm(today=today, initial={"first_day": first, "last_day": today}),
        **_page(reports.spends_before(organization), LATEST_SPENDS),
    }


def _period_days(request: HttpRequest) -> int:
    text = request.GET.get("days", str(DEFAULT_PERIOD_DAYS))
    if text not in map(str, PERIODS_DAYS):
        raise Http404
    return int(text)


@login_required
@never_cache
@require_safe
def spends(request: SignedInRequest) -> HttpResponse:
    """The spends of an organization, newest first, or those of a reference."""
    organization = visible_organization(request)
    # PostgreSQL takes no NUL.
    reference = request.GET.get("reference", "").replace("\0", "").strip()
    after = _turned_at(request, organization)
    found = (
        reports.spends_by_reference(organization, reference, after)
        if reference
        else reports.spends_before(organization, after)
    )
    context = {
        "organization": organization,
        "organizations": [each for each in request.user.organizations.all() if each.show_balance],
        "reference": reference,
        "is_first_page": after is None,
        **_page(found, SPENDS_PER_PAGE),
    }
    return render(request, "credits/spends.html", context)


def _turned_at(request: HttpRequest, organization: Organization) -> Spend | None:
    """The last spend of the page before, if there is one. Raises Http404 for what is none."""
    text = request.GET.get("after")
    if text is None:
        return None
    try:
        return get_object_or_404(organization.spends, pk=UUID(text))
    except ValueError:
        raise Http404 from None


def _page(found: QuerySet[Spend], size: int) -> dict[str, Any]:
    """The first `size` spends, and the last of them if more follow: they are never counted."""
    spends = reports.first_of(found, size + 1)
    has_more = len(spends) > size
    return {"spends": spends[:size], "older_than": spends[size - 1] if has_more else None}
