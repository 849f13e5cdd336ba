"""The activity list: who changed what in an organization, and when."""

from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from credits.models import Activity, Organization, User


class Kind(TextChoices):
    """What is recorded, each with the sentence that tells it.

    A sentence names `actor` and facts. The fact `role` is told in words, and one whose name ends
    in `_at` is an ISO 8601 moment, told in the reader's time zone.
    """

    INVITED = "invited", _("%(actor)s invited %(email)s (role: %(role)s).")
    INVITED_AGAIN = "invited_again", _("%(actor)s sent the invitation of %(email)s again.")
    INVITATION_WITHDRAWN = (
        "invitation_withdrawn",
        _("%(actor)s withdrew the invitation of %(email)s."),
    )
    JOINED = "joined", _("%(actor)s accepted the invitation (role: %(role)s).")
    MEMBER_ADDED = "member_added", _("%(actor)s added %(email)s (role: %(role)s).")
    ROLE_CHANGED = "role_changed", _("%(actor)s changed the role of %(email)s to %(role)s.")
    MEMBER_REMOVED = "member_removed", _("%(actor)s removed %(email)s.")
    MEMBER_LEFT = "member_left", _("%(actor)s left.")

    KEY_CREATED = "key_created", _("%(actor)s created the API key “%(name)s” (%(prefix)s…).")
    KEY_RENAMED = "key_renamed", _("%(actor)s renamed the API key “%(before)s” to “%(name)s”.")
    KEY_RESTRICTED = (
        "key_restricted",
        _("%(actor)s restricted the API key “%(name)s” to %(actions)s."),
    )
    KEY_UNRESTRICTED = (
        "key_unrestricted",
        _("%(actor)s allowed the API key “%(name)s” all actions."),
    )
    KEY_OPENED_TO_PAGES = (
        "key_opened_to_pages",
        _("%(actor)s let web pages of %(origins)s use browser tokens of the API key “%(name)s”."),
    )
    KEY_CLOSED_TO_PAGES = (
        "key_closed_to_pages",
        _("%(actor)s let no web pages use browser tokens of the API key “%(name)s”."),
    )
    KEY_EXPIRY_SET = (
        "key_expiry_set",
        _("%(actor)s let the API key “%(name)s” expire on %(expires_at)s."),
    )
    KEY_EXPIRY_REMOVED = (
        "key_expiry_removed",
        _("%(actor)s let the API key “%(name)s” work without an end."),
    )
    KEY_ROTATED = (
        "key_rotated",
        _(
            "%(actor)s rotated the API key “%(name)s”: its secret is now %(prefix)s…, and the old "
            "%(old_prefix)s… stops working on %(stops_at)s."
        ),
    )
    KEY_REVOKED = "key_revoked", _("%(actor)s revoked the API key “%(name)s” (%(prefix)s…).")

    RENAMED = "renamed", _("%(actor)s renamed the organization “%(before)s” to “%(name)s”.")
    BUNDLE_CHANGED = (
        "bundle_changed",
        _("%(actor)s changed the free credits of each week from %(before)s to %(credits)s."),
    )
    BALANCE_SHOWN = "balance_shown", _("%(actor)s let you see the balance and the usage.")
    BALANCE_HIDDEN = "balance_hidden", _("%(actor)s hid the balance and the usage.")
    THRESHOLD_SET = (
        "threshold_set",
        _("%(actor)s let members be told when the balance falls below %(credits)s."),
    )
    THRESHOLD_REMOVED = (
        "threshold_removed",
        _("%(actor)s let members be told no more of a low balance."),
    )
    SUSPENDED = "suspended", _("%(actor)s suspended the organization.")
    RESUMED = "resumed", _("%(actor)s resumed the organization.")


def record(
    organization: Organization,
    kind: Kind,
    *,
    actor: User | None,
    now: datetime,
    **facts: str | int,
) -> None:
    """Add a line to the activity list; call it in the transaction of the change it tells of.

    The actor is told by their address if they are a member now, else as staff, and None as Credits
    itself; so record that somebody leaves before they do. Raises KeyError if a fact is missing.
    """
    assert kind.label % {"actor": "", **facts}
    is_member = actor is not None and organization.memberships.filter(user=actor).exists()
    Activity.objects.create(
        organization=organization,
        kind=kind,
        actor=actor,
        member_email=actor.email if actor and is_member else "",
        facts=facts,
        created_at=now,
    )
