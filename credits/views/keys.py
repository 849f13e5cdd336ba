"""The API keys of an organization, for its owners."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from credits import access
from credits.forms import ApiKeyForm, ChangeKeyForm, RotateKeyForm
from credits.models import ApiKey, Organization, User
from credits.views.base import SignedInRequest, chosen_organization, owned_organizations


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: SignedInRequest) -> HttpResponse:
    """The API keys of an organization, for its owners, who also make new ones here."""
    organization = chosen_organization(request, owned_organizations(request.user))
    today = timezone.now().date()
    form = ApiKeyForm(request.POST if request.method == "POST" else None, today=today)
    if form.is_valid():
        secret = _create_key(form, organization, request.user)
        return _keys_page(request, organization, secret=secret)
    return _keys_page(request, organization, form=form)


def _keys_page(
    request: SignedInRequest, organization: Organization, **context: Any
) -> HttpResponse:
    """The list, and at most once a `secret`: it is in no address, session or table."""
    now = timezone.now()
    context = {
        "organization": organization,
        "owned": owned_organizations(request.user),
        "form": ApiKeyForm(today=now.date()),
        "now": now,
        "keys": organization.api_keys.select_related("replaced_by").prefetch_related(
            "allowed_actions"
        ),
        **context,
    }
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
def change_key(request: SignedInRequest, key_id: int) -> HttpResponseBase:
    """Give a key another name, other actions or other origins."""
    key = _key_or_404(request.user, key_id)
    form = ChangeKeyForm(request.POST if request.method == "POST" else None, key=key)
    if not form.is_valid():
        return render(request, "credits/change_key.html", {"key": key, "form": form})
    access.change_key(
        key,
        name=form.cleaned_data["name"],
        allowed_actions=form.cleaned_data["allowed_actions"],
        allowed_origins=form.cleaned_data["allowed_origins"],
        by=request.user,
        now=timezone.now(),
    )
    messages.success(request, _("“%(name)s” is saved.") % {"name": key.name})
    return redirect(_keys_url(key))


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rotate_key(request: SignedInRequest, key_id: int) -> HttpResponseBase:
    """Ask how long the old secret shall work, then show the new one, once."""
    key = _key_or_404(request.user, key_id)
    form = RotateKeyForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "credits/rotate_key.html", {"key": key, "form": form})
    assert key.organization is not None
    try:
        grace = form.cleaned_data["grace"]
        rotated = access.rotate_key(key, grace=grace, by=request.user, now=timezone.now())
    except access.KeyDoesNotWork:
        text = _("“%(name)s” does not work any more or was rotated already: create a new key.")
        messages.error(request, text % {"name": key.name})
        return redirect(_keys_url(key))
    return _keys_page(request, key.organization, secret=rotated[1])


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_key(request: SignedInRequest, key_id: int) -> HttpResponseBase:
    """Ask, then revoke a key; a revoked key stays revoked."""
    key = _key_or_404(request.user, key_id)
    if request.method != "POST":
        return render(request, "credits/revoke_key.html", {"key": key})
    access.revoke_key(key, by=request.user, now=timezone.now())
    text = _("“%(name)s” is revoked. Requests with it are refused from now on.")
    messages.success(request, text % {"name": key.name})
    return redirect(_keys_url(key))


def _key_or_404(user: User, key_id: int) -> ApiKey:
    """A key of an organization the user owns that is not revoked."""
    owned = owned_organizations(user)
    return get_object_or_404(ApiKey, pk=key_id, organization__in=owned, revoked_at=None)


def _keys_url(key: ApiKey) -> str:
    assert key.organization is not None
    return reverse("keys", query={"organization": key.organization.public_id})
