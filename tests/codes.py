"""A staff member's phone: the authenticator app, in a test's hands."""

import time

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.test import Client

from credits.models import User

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
WRONG_CODE = "000000"


def set_up(user: User) -> list[str]:
    """Give the user an authenticator app that knows SECRET, and recovery codes; returns those."""
    TOTP.activate(user, SECRET)
    return RecoveryCodes.activate(user).generate_codes()


def code(secret: str = SECRET, *, steps: int = 0) -> str:
    """What the app shows now, or so many steps of 30 seconds later."""
    counter = int(time.time()) // app_settings.TOTP_PERIOD + steps
    return format_hotp_value(hotp_value(secret, counter))


def show(client: Client, user: User) -> None:
    """Have the session of a client be one that was opened with the user's second factor."""
    session = client.session
    session["second_factors"] = list(user.authenticator_set.values_list("pk", flat=True))
    session.save()


def has_second_factor(user: User) -> bool:
    return Authenticator.objects.filter(user=user).exists()
