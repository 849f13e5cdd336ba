"""The API keys of an organization, for its owners."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from credits import access
from credits.forms import ApiKeyForm
from credits.models import ApiKey, Organization, User
from credits.views.base import SignedInRequest, chosen_organization, owned_organizations


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: SignedInRequest) -> HttpResponse:
    """The API keys of an organization, for its owners, who also make new ones here."""
    owned = owned_organizations(request.user)
    organization = chosen_organization(request, owned)
    now = timezone.now()
    form = ApiKeyForm(request.POST if request.method == "POST" else None, today=now.date())
    context = {"organization": organization, "owned": owned, "form": form, "now": now}
    if request.method == "POST" and form.is_valid():
        # The secret goes into this one answer: it is in no address, session or table.
        context["secret"] = _create_key(form, organization, request.user)
        context["form"] = ApiKeyForm(today=now.date())
    context["keys"] = organization.api_keys.prefetch_related("allowed_actions")
    return render(request, "credits/keys.html", context)


def _create_key(form: ApiKeyForm, organization: Organization, owner: User) -> str:
    _, secret = access.create_key(
        name=form.cleaned_data["name"],
        organization=organization,
        allowed_actions=form.cleaned_data["allowed_actions"],
        allowed_origins=form.cleaned_data["allowed_origins"],
        expires_at=form.expires_at,
        created_by=owner,
    )
    return secret


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_key(request: SignedInRequest, key_id: int) -> HttpResponseBase:
    """Ask, then revoke a key of an organization the user owns; a revoked key stays revoked."""
    owned = owned_organizations(request.user)
    key = get_object_or_404(ApiKey, pk=key_id, organization__in=owned, revoked_at=None)
    if request.method == "GET":
        return render(request, "credits/revoke_key.html", {"key": key})
    access.revoke_key(key, now=timezone.now())
    messages.success(request, f"“{key.name}” is revoked. Requests with it are refused from now on.")
    return redirect(_keys_url(key))


def _keys_url(key: ApiKey) -> str:
    assert key.organization is not None
    return reverse("keys", query={"organization": key.organization.public_id})
