"""The members of an organization and whom it invited; its owners change both."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from credits import people
from credits.forms import InvitationForm, RoleForm
from credits.models import Invitation, Membership, Organization, User
from credits.views.base import SignedInRequest, chosen_organization


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def members(request: SignedInRequest) -> HttpResponseBase:
    """Who belongs to an organization, for all of them; its owners also invite here."""
    organizations = list(request.user.organizations.all())
    if not organizations:
        return render(request, "credits/no_organization.html")
    organization = chosen_organization(request, organizations)
    form = InvitationForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        _require_owner(request.user, organization)
        if form.is_valid() and _invite(request, organization, form):
            return redirect(members_url(organization))
    context = {
        "organization": organization,
        "organizations": organizations,
        "memberships": organization.memberships.select_related("user").order_by("created_at"),
        "invitations": people.open_invitations(organization),
        "is_owner_here": _owns(request.user, organization),
        "form": form,
        "now": timezone.now(),
    }
    return render(request, "credits/members.html", context)


def _invite(request: SignedInRequest, organization: Organization, form: InvitationForm) -> bool:
    """Whether it was done; if not, the form says why."""
    asked = form.cleaned_data
    try:
        invitation = people.invite(
            organization, asked["email"], asked["role"], by=request.user, now=timezone.now()
        )
    except people.PeopleError as refusal:
        form.add_error("email", str(refusal))
        return False
    messages.success(request, _("%(email)s is invited.") % {"email": invitation.email})
    return True


@login_required
@require_POST
def send_invitation_again(request: SignedInRequest, invitation_id: int) -> HttpResponseBase:
    """Write the email anew; the link works for another week."""
    invitation = _invitation(request.user, invitation_id)
    return _changed(
        request,
        invitation.organization,
        lambda: people.send_again(invitation, by=request.user, now=timezone.now()),
        _("The invitation of %(email)s is sent again.") % {"email": invitation.email},
    )


@login_required
@require_POST
def withdraw_invitation(request: SignedInRequest, invitation_id: int) -> HttpResponseBase:
    """Stop an invitation's link from working."""
    invitation = _invitation(request.user, invitation_id)
    return _changed(
        request,
        invitation.organization,
        lambda: people.withdraw(invitation, by=request.user, now=timezone.now()),
        _("The invitation of %(email)s is withdrawn.") % {"email": invitation.email},
    )


@login_required
@require_POST
def change_role(request: SignedInRequest, membership_id: int) -> HttpResponseBase:
    """Make a member an owner, or an owner a member."""
    membership = _membership(request.user, membership_id)
    _require_owner(request.user, membership.organization)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose one of the roles."))
        return redirect(members_url(membership.organization))
    role = Membership.Role(form.cleaned_data["role"])
    return _changed(
        request,
        membership.organization,
        lambda: people.change_role(membership, role, by=request.user, now=timezone.now()),
        _("The role of %(email)s is now: %(role)s.")
        % {"email": membership.user.email, "role": role.label},
    )


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def remove_member(request: SignedInRequest, membership_id: int) -> HttpResponseBase:
    """Ask, then end a membership: an owner any, everybody their own."""
    membership = _membership(request.user, membership_id)
    is_own = membership.user == request.user
    if not is_own:
        _require_owner(request.user, membership.organization)
    if request.method != "POST":
        context = {"membership": membership, "is_own": is_own}
        return render(request, "credits/remove_member.html", context)
    if is_own:
        done = _("You left %(organization)s.") % {"organization": membership.organization.name}
    else:
        done = _("%(email)s is removed.") % {"email": membership.user.email}
    return _changed(
        request,
        membership.organization,
        lambda: people.remove(membership, by=request.user, now=timezone.now()),
        done,
    )


def _changed(
    request: SignedInRequest, organization: Organization, change: Callable[[], None], done: str
) -> HttpResponseBase:
    """Make a change and go back to the members, saying what was done or why not."""
    try:
        change()
    except people.PeopleError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    still_there = organization.memberships.filter(user=request.user).exists()
    return redirect(members_url(organization) if still_there else "home")


def members_url(organization: Organization) -> str:
    return reverse("members", query={"organization": organization.public_id})


def _owns(user: User, organization: Organization) -> bool:
    return organization.memberships.filter(user=user, role=Membership.Role.OWNER).exists()


def _require_owner(user: User, organization: Organization) -> None:
    if not _owns(user, organization):
        raise PermissionDenied


def _membership(user: User, pk: int) -> Membership:
    """One of an organization the user belongs to, or Http404."""
    memberships = Membership.objects.select_related("organization", "user")
    return get_object_or_404(memberships, pk=pk, organization__in=user.organizations.all())


def _invitation(user: User, pk: int) -> Invitation:
    """One of an organization the user owns; Http404 for those of organizations they are not in."""
    invitations = Invitation.objects.select_related("organization")
    invitation = get_object_or_404(invitations, pk=pk, organization__in=user.organizations.all())
    _require_owner(user, invitation.organization)
    return invitation
