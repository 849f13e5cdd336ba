"""The playground's page, and the tokens it spends with."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from credits.api import problems
from credits.playground.access import Closed, issue_token
from credits.views.base import SignedInRequest, chosen_organization

# What alt text is made from are their names.
PICTURES = (
    "red-bicycle-by-the-sea.svg",
    "green-leaves-in-a-clay-pot.svg",
    "two-lemons-on-a-plate.svg",
)


@login_required
@never_cache
@require_safe
def playground(request: SignedInRequest) -> HttpResponse:
    """Four sample extensions, and what they and the API say to each other."""
    organizations = list(request.user.organizations.all())
    if not organizations:
        return render(request, "playground/no_organization.html")
    organization = chosen_organization(request, organizations)
    context = {
        "organization": organization,
        "organizations": organizations,
        "pictures": PICTURES,
    }
    return render(request, "playground/playground.html", context)


@never_cache
@require_POST
def token(request: HttpRequest) -> JsonResponse:
    """A browser token for the page, as an extension's own server would ask for one."""
    if not request.user.is_authenticated:
        return _refuse("unauthorized", _("Sign in again to go on."))
    organizations = request.user.organizations.all()
    if not organizations:
        return _refuse("forbidden", _("You are not a member of an organization any more."))
    organization = chosen_organization(request, organizations)
    try:
        issued, secret = issue_token(organization, request.user, now=timezone.now())
    except Closed as closed:
        return _refuse("forbidden", str(closed))
    return JsonResponse({"token": secret, "expires_at": issued.expires_at}, status=201)


def _refuse(code: str, detail: str) -> JsonResponse:
    body = problems.document(code, detail)
    return JsonResponse(body, status=body["status"], content_type=problems.CONTENT_TYPE)
