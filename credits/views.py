"""Customer pages about credits: API keys, and what the API's problems mean."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from credits import access
from credits.api.problems import PROBLEMS
from credits.forms import ApiKeyForm
from credits.models import ApiKey, Membership, Organization, User


class SignedInRequest(HttpRequest):
    user: User


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: SignedInRequest) -> HttpResponse:
    """The API keys of an organization, for its owners, who also make new ones here."""
    owned = _owned_organizations(request.user)
    organization = _chosen_organization(request, owned)
    now = timezone.now()
    form = ApiKeyForm(request.POST if request.method == "POST" else None, today=now.date())
    context = {"organization": organization, "owned": owned, "form": form, "now": now}
    if request.method == "POST" and form.is_valid():
        # The secret goes into this one answer: it is in no address, session or table.
        context["secret"] = _create_key(form, organization, request.user)
        context["form"] = ApiKeyForm(today=now.date())
    context["keys"] = organization.api_keys.prefetch_related("allowed_actions")
    return render(request, "credits/keys.html", context)


def _owned_organizations(user: User) -> list[Organization]:
    """What the user owns, by name. Raises PermissionDenied where that is nothing."""
    ownerships = user.memberships.filter(role=Membership.Role.OWNER)
    owned = list(Organization.objects.filter(memberships__in=ownerships))
    if not owned:
        raise PermissionDenied
    return owned


def _chosen_organization(request: HttpRequest, owned: list[Organization]) -> Organization:
    """The one named by `?organization=`, or the first. Raises Http404 for any not owned."""
    public_id = request.GET.get("organization", owned[0].public_id)
    for organization in owned:
        if organization.public_id == public_id:
            return organization
    raise Http404


def _create_key(form: ApiKeyForm, organization: Organization, owner: User) -> str:
    _, secret = access.create_key(
        name=form.cleaned_data["name"],
        organization=organization,
        allowed_actions=form.cleaned_data["allowed_actions"],
        expires_at=form.expires_at,
        created_by=owner,
    )
    return secret


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_key(request: SignedInRequest, key_id: int) -> HttpResponseBase:
    """Ask, then revoke a key of an organization the user owns; a revoked key stays revoked."""
    owned = _owned_organizations(request.user)
    key = get_object_or_404(ApiKey, pk=key_id, organization__in=owned, revoked_at=None)
    if request.method == "GET":
        return render(request, "credits/revoke_key.html", {"key": key})
    access.revoke_key(key, now=timezone.now())
    messages.success(request, f"“{key.name}” is revoked. Requests with it are refused from now on.")
    return redirect(_keys_url(key))


def _keys_url(key: ApiKey) -> str:
    assert key.organization is not None
    return reverse("keys", query={"organization": key.organization.public_id})


@require_safe
def problem(request: HttpRequest, slug: str) -> HttpResponse:
    """What one of the API's problem codes means, at the address its `type` gives."""
    known = PROBLEMS.get(slug.replace("-", "_"))
    if known is None:
        raise Http404
    return render(request, "credits/problem.html", {"problem": known})
