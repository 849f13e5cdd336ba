"""The activity list of an organization, for its owners."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from credits.views.base import SignedInRequest, chosen_organization, owned_organizations

ACTIVITIES_PER_PAGE = 50


@login_required
@never_cache
@require_safe
def activity(request: SignedInRequest) -> HttpResponse:
    """Who changed what in the organization and when, the newest first."""
    owned = owned_organizations(request.user)
    organization = chosen_organization(request, owned)
    pages = Paginator(organization.activities.all(), ACTIVITIES_PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    context = {"organization": organization, "organizations": owned, "page": page}
    return render(request, "credits/activity.html", context)
