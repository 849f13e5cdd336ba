"""Second factors: what somebody shows at sign-in beside the password."""

from datetime import datetime
from typing import NamedTuple

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from credits import mail
from credits.models import User


class Change(NamedTuple):
    """What happened to somebody's second factor, as an email tells them."""

    subject: str | Promise
    text: str | Promise


TAKEN_AWAY = Change(
    _("Your second factor was removed"),
    _(
        "An administrator removed your authenticator app and your recovery codes. Sign in with "
        "your password and set up a second factor again."
    ),
)
# By what allauth calls them.
CHANGES = {
    "totp_activated": Change(
        _("A second factor was set up"),
        _("From now on you are asked for a code of your authenticator app when you sign in."),
    ),
    "totp_deactivated": Change(
        _("Your second factor was turned off"),
        _("Your password alone opens your account now."),
    ),
    "recovery_codes_generated": Change(
        _("You have new recovery codes"),
        _("The earlier ones no longer work."),
    ),
}


def has_one(user: User) -> bool:
    """Whether the user is asked for a second factor at sign-in."""
    owned = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP)
    return bool(owned.exists())


@transaction.atomic
def take_away(user: User, *, now: datetime) -> bool:
    """Delete a lost second factor with its recovery codes, and tell the user by email.

    Sessions that were opened with it count as opened without one from then on. False, and nothing
    is changed, where there is none.
    """
    deleted, _by_model = Authenticator.objects.filter(user=user).delete()
    if deleted:
        tell(user, TAKEN_AWAY, now=now)
    return bool(deleted)


def tell(user: User, change: Change, *, now: datetime) -> None:
    """Have an email sent that tells the user of a change, whoever made it."""
    mail.queue(
        f"second factor {user.pk} {now.isoformat()} {change.subject}",
        to=user.email,
        template="security",
        context={"subject": str(change.subject), "text": str(change.text)},
        now=now,
    )
