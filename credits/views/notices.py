"""What members are told about their organization's credits, and by which emails."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from credits import notices as told
from credits.models import MAX_CREDITS, Membership, Notice, NoticeKind, Organization, User
from credits.views.base import SignedInRequest, chosen_organization

OCCASIONS = {
    NoticeKind.OUT_OF_CREDITS: gettext_lazy("Credits run out"),
    NoticeKind.LOW: gettext_lazy("The balance falls below the number that an owner chose"),
    NoticeKind.REFILLED: gettext_lazy("There are credits again after they ran out"),
}


class EmailsForm(forms.Form):
    """Which emails a member wants about an organization."""

    kinds = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Email me when"),
        coerce=NoticeKind,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, data: Any, *, organization: Organization, user: User) -> None:
        super().__init__(data, initial={"kinds": told.chosen_emails(user, organization)})
        offered = [(kind, OCCASIONS[kind]) for kind in told.kinds_of(organization)]
        self.fields["kinds"].choices = offered  # type: ignore[attr-defined]


class ThresholdForm(forms.Form):
    """Below how many credits an organization wants to be told."""

    credits = forms.IntegerField(
        label=gettext_lazy("Tell us below"),
        required=False,
        min_value=1,
        max_value=MAX_CREDITS,
        help_text=gettext_lazy("Credits. Leave it empty to be told only when they run out."),
    )

    def __init__(self, data: Any, *, organization: Organization) -> None:
        super().__init__(data, initial={"credits": organization.low_balance_credits})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def notices(request: SignedInRequest) -> HttpResponseBase:
    """The last notices of an organization, which of them come by email, and from which balance."""
    organizations = list(request.user.organizations.all())
    if not organizations:
        return render(request, "credits/no_organization.html")
    organization = chosen_organization(request, organizations)
    emails = EmailsForm(_sent(request, "emails"), organization=organization, user=request.user)
    threshold = _threshold_form(request, organization)
    if emails.is_bound and emails.is_valid():
        kinds = emails.cleaned_data["kinds"]
        told.choose_emails(request.user, organization, kinds, now=timezone.now())
        return _saved(request, organization)
    if threshold and threshold.is_bound and threshold.is_valid():
        credits = threshold.cleaned_data["credits"]
        told.set_threshold(organization, credits, actor=request.user, now=timezone.now())
        return _saved(request, organization)
    context = {
        "organization": organization,
        "organizations": organizations,
        "emails": emails,
        "threshold": threshold,
        "notices": told.recent(organization),
    }
    has_errors = emails.errors or (threshold and threshold.errors)
    return render(request, "credits/notices.html", context, status=400 if has_errors else 200)


def _sent(request: HttpRequest, form: str) -> Any:
    """What was sent with a form of the page, by the name of its button; None for another."""
    return request.POST if request.POST.get("save") == form else None


def _threshold_form(request: SignedInRequest, organization: Organization) -> ThresholdForm | None:
    """For owners, where the balance may be seen."""
    ownership = request.user.memberships.filter(
        organization=organization, role=Membership.Role.OWNER
    )
    if not organization.show_balance or not ownership.exists():
        return None
    return ThresholdForm(_sent(request, "threshold"), organization=organization)


def _saved(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    messages.success(request, _("Saved."))
    return redirect(reverse("notices", query={"organization": organization.public_id}))


@login_required
@require_POST
def dismiss(request: SignedInRequest, notice_id: int) -> HttpResponseBase:
    """Show a notice to the user no more, and go back to where they read it."""
    organizations = request.user.organizations.all()
    notice = get_object_or_404(Notice, pk=notice_id, organization__in=organizations)
    told.dismiss(notice, request.user, now=timezone.now())
    back = request.POST.get("next", "")
    is_ours = back.startswith("/") and url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(back if is_ours else reverse("home"))


@csrf_exempt  # The token in the address is the proof; mail programs send no other (RFC 8058).
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask, then send no more emails of a kind; programs that only look at links change nothing."""
    try:
        user, organization, kind = told.subscription(token)
    except BadSignature:
        return render(request, "credits/unsubscribe.html", status=404)
    if request.method == "POST":
        told.unsubscribe(user, organization, [kind], now=timezone.now())
    context = {
        "organization": organization,
        "occasion": OCCASIONS[kind],
        "is_done": request.method == "POST",
    }
    return render(request, "credits/unsubscribe.html", context)
