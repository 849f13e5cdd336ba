"""Members and invitations: who belongs to an organization, and who is asked to.

Each verb locks the organization first, so that changes to its people come one after the other, and
writes the activity list. The edges see to it that whoever asks for a change is allowed to.
"""

from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from credits import activity, mail
from credits.activity import Kind
from credits.models import Activity, Invitation, Membership, Organization, User

INVITATION_LASTS = timedelta(days=7)
# So that nobody has us write to many people, or many times to one.
MAX_OPEN_INVITATIONS = 50
MAX_INVITATION_EMAILS_A_DAY = 50
MAX_INVITATION_EMAILS_A_DAY_TO_ONE = 3

_signer = signing.Signer(sep=".", salt="credits.people.invitation")


class PeopleError(Exception):
    """A refusal, told to whoever asked for it; nothing was changed."""


class NotOpen(PeopleError):
    """The invitation was accepted, withdrawn or has expired."""


class HasAccount(PeopleError):
    """The invited address has an account, so its owner signs in instead."""


def _lock(organization: Organization) -> None:
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


# --- Invitations --------------------------------------------------------------------------------


@transaction.atomic
def invite(
    organization: Organization, email: str, role: str, *, by: User, now: datetime
) -> Invitation:
    """Ask an address to join, by email; raises PeopleError where that makes no sense."""
    _lock(organization)
    email = email.lower()
    _check_invitable(organization, email)
    _check_pace(organization, email, now)
    invitation = Invitation.objects.create(
        organization=organization,
        email=email,
        role=role,
        invited_by=by,
        created_at=now,
        sent_at=now,
        expires_at=now + INVITATION_LASTS,
    )
    activity.record(organization, Kind.INVITED, actor=by, now=now, email=email, role=role)
    _send(invitation, by)
    return invitation


def _check_invitable(organization: Organization, email: str) -> None:
    invitations = open_invitations(organization)
    if organization.memberships.filter(user__email=email).exists():
        raise PeopleError(_("This person is a member already."))
    if invitations.filter(email=email).exists():
        raise PeopleError(_("This address is invited already. You can send the invitation again."))
    if invitations.count() >= MAX_OPEN_INVITATIONS:
        raise PeopleError(
            _("There can be %(count)s open invitations at most. Withdraw one you do not need.")
            % {"count": MAX_OPEN_INVITATIONS}
        )


def _check_pace(organization: Organization, email: str, now: datetime) -> None:
    sent = Activity.objects.filter(
        organization=organization,
        kind__in=(Kind.INVITED, Kind.INVITED_AGAIN),
        created_at__gt=now - timedelta(days=1),
    )
    to_one = sent.filter(facts__email=email).count()
    if to_one >= MAX_INVITATION_EMAILS_A_DAY_TO_ONE:
        raise PeopleError(_("This address got enough invitations today. Try again tomorrow."))
    if sent.count() >= MAX_INVITATION_EMAILS_A_DAY:
        raise PeopleError(_("That is enough invitations for today. Try again tomorrow."))


def _send(invitation: Invitation, by: User) -> None:
    """Write the email. It holds no link yet: that is signed when it is sent, and kept nowhere."""
    mail.queue(
        f"invitation-{invitation.pk}-{invitation.sent_at.isoformat()}",
        to=invitation.email,
        template="invitation",
        context={
            "invitation": invitation.pk,
            "organization": invitation.organization.name,
            "inviter": by.email,
            "is_owner": invitation.role == Membership.Role.OWNER,
            "days": INVITATION_LASTS.days,
        },
        now=invitation.sent_at,
    )


@transaction.atomic
def send_again(invitation: Invitation, *, by: User, now: datetime) -> None:
    """Write the email anew and let the invitation last from now; raises PeopleError."""
    invitation = _locked(invitation)
    organization, email = invitation.organization, invitation.email
    _check_pace(organization, email, now)
    invitation.sent_at, invitation.expires_at = now, now + INVITATION_LASTS
    invitation.save(update_fields=["sent_at", "expires_at"])
    activity.record(organization, Kind.INVITED_AGAIN, actor=by, now=now, email=email)
    _send(invitation, by)


@transaction.atomic
def withdraw(invitation: Invitation, *, by: User, now: datetime) -> None:
    """Stop an invitation's link from working. Raises NotOpen."""
    invitation = _locked(invitation)
    invitation.withdrawn_at = now
    invitation.save(update_fields=["withdrawn_at"])
    activity.record(
        invitation.organization,
        Kind.INVITATION_WITHDRAWN,
        actor=by,
        now=now,
        email=invitation.email,
    )


def _locked(invitation: Invitation) -> Invitation:
    """The invitation as it is now that its organization is locked. Raises NotOpen."""
    _lock(invitation.organization)
    invitation = Invitation.objects.select_related("organization").get(pk=invitation.pk)
    if not invitation.is_open:
        raise NotOpen(_("This invitation was accepted or withdrawn meanwhile."))
    return invitation


def token(invitation_id: int) -> str:
    """The secret part of an invitation's link; whoever has it got the email."""
    return _signer.sign(str(invitation_id))


def find_invitation(token: str) -> Invitation | None:
    """The invitation of a link, in whatever state; None where we did not make the link."""
    try:
        pk = _signer.unsign(token)
    except signing.BadSignature:
        return None
    return Invitation.objects.select_related("organization", "invited_by").filter(pk=pk).first()


@transaction.atomic
def accept(invitation: Invitation, user: User, *, now: datetime) -> None:
    """Make the invited person a member; whoever is one already keeps their role.

    Raises NotOpen, and PeopleError for somebody else.
    """
    invitation = _locked(invitation)
    if invitation.is_expired(now):
        raise NotOpen(_("This invitation has expired."))
    if user.email.lower() != invitation.email:
        raise PeopleError(_("This invitation is for somebody else."))
    invitation.accepted_at = now
    invitation.save(update_fields=["accepted_at"])
    organization, role = invitation.organization, invitation.role
    if not organization.memberships.filter(user=user).exists():
        Membership.objects.create(organization=organization, user=user, role=role)
        activity.record(organization, Kind.JOINED, actor=user, now=now, role=role)


@transaction.atomic
def register(invitation: Invitation, password: str, *, now: datetime) -> User:
    """Make an account for the invited address, which the link proves, and accept with it.

    The password is one that passed the validators. Raises NotOpen and HasAccount.
    """
    user, is_new = User.objects.get_or_create(email=invitation.email)
    if not is_new:
        raise HasAccount
    user.set_password(password)
    user.save(update_fields=["password"])
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    accept(invitation, user, now=now)
    return user


def open_invitations(organization: Organization) -> QuerySet[Invitation]:
    """Those that are neither accepted nor withdrawn, also expired ones: they can be sent again."""
    return organization.invitations.filter(accepted_at=None, withdrawn_at=None)


# --- Members ------------------------------------------------------------------------------------


@transaction.atomic
def add_member(
    organization: Organization, user: User, role: str, *, by: User, now: datetime
) -> Membership:
    """Make somebody a member without asking them, as staff do."""
    _lock(organization)
    membership, is_new = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": role}
    )
    if is_new:
        facts = {"email": user.email, "role": role}
        activity.record(organization, Kind.MEMBER_ADDED, actor=by, now=now, **facts)
    return membership


@transaction.atomic
def change_role(membership: Membership, role: str, *, by: User, now: datetime) -> None:
    """Make a member an owner or an owner a member. Raises PeopleError for the last owner."""
    current = _locked_membership(membership)
    if current is None or current.role == role:
        return
    _check_owner_remains_without(current)
    facts = {"email": current.user.email, "role": role}
    activity.record(current.organization, Kind.ROLE_CHANGED, actor=by, now=now, **facts)
    current.role = role
    current.save(update_fields=["role"])


@transaction.atomic
def remove(membership: Membership, *, by: User, now: datetime) -> None:
    """End a membership; people leave by ending their own. Ending it again changes nothing.

    Raises PeopleError for the last owner.
    """
    current = _locked_membership(membership)
    if current is None:
        return
    _check_owner_remains_without(current)
    organization, user = current.organization, current.user
    if user == by:
        activity.record(organization, Kind.MEMBER_LEFT, actor=by, now=now)
    else:
        activity.record(organization, Kind.MEMBER_REMOVED, actor=by, now=now, email=user.email)
    current.delete()


def _locked_membership(membership: Membership) -> Membership | None:
    """The membership as it is now that its organization is locked; None if it ended."""
    _lock(membership.organization)
    return (
        Membership.objects.select_related("organization", "user").filter(pk=membership.pk).first()
    )


def _check_owner_remains_without(membership: Membership) -> None:
    """Refuse to lose the last owner who can sign in. A rule of the database stands behind it."""
    owners = Membership.objects.filter(
        organization=membership.organization, role=Membership.Role.OWNER, user__is_active=True
    )
    is_owner = membership.role == Membership.Role.OWNER
    if is_owner and not owners.exclude(pk=membership.pk).exists():
        raise PeopleError(
            _("%(organization)s needs an owner. Make somebody else an owner first.")
            % {"organization": membership.organization.name}
        )
