"""What every page of a customer shares: who is looking, and at which organization."""

from collections.abc import Iterable

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from credits.models import Membership, Organization, User


class SignedInRequest(HttpRequest):
    user: User


def owned_organizations(user: User) -> list[Organization]:
    """What the user owns, by name. Raises PermissionDenied where that is nothing."""
    ownerships = user.memberships.filter(role=Membership.Role.OWNER)
    owned = list(Organization.objects.filter(memberships__in=ownerships))
    if not owned:
        raise PermissionDenied
    return owned


def chosen_organization(request: HttpRequest, among: Iterable[Organization]) -> Organization:
    """The one named by `?organization=`, else the one chosen last, else the first of some.

    A choice is kept in the session for the other pages. Raises Http404 for one not among them.
    """
    known = {organization.public_id: organization for organization in among}
    public_id = request.GET.get("organization")
    if public_id is None:
        return known.get(request.session.get("organization", "")) or next(iter(known.values()))
    if public_id not in known:
        raise Http404
    if request.session.get("organization") != public_id:
        request.session["organization"] = public_id
    return known[public_id]


def visible_organization(request: SignedInRequest) -> Organization:
    """The chosen organization, if it may see its balance and usage. Raises Http404 otherwise."""
    organizations = list(request.user.organizations.all())
    organization = chosen_organization(request, organizations) if organizations else None
    if organization is None or not organization.show_balance:
        raise Http404
    return organization
