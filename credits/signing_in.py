"""What follows from signing in and out: the session remembers it, and the log tells it."""

from contextlib import suppress
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.exceptions import PermissionDenied, ValidationError
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from credits import sign_ins
from credits.models import SignIn, User
from credits.sign_ins import Outcome

SIGNED_IN_AT = "signed_in_at"
SECOND_FACTORS = "second_factors"


def note(request: HttpRequest, outcome: SignIn.Outcome, **facts: Any) -> None:
    """Write a line of the sign-in log, with where the request comes from."""
    ip = None
    with suppress(PermissionDenied):
        ip = get_adapter().get_client_ip(request)
    agent = request.headers.get("User-Agent", "")
    sign_ins.record(outcome, now=timezone.now(), ip=ip, user_agent=agent, **facts)


def code_refused(request: HttpRequest, user: User, error: ValidationError) -> None:
    """Note a wrong code, or a code that was not even looked at after too many wrong ones."""
    wrong = error.code == "incorrect_code"
    note(request, Outcome.WRONG_CODE if wrong else Outcome.REFUSED, user=user)


@receiver(user_logged_in)
def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    request.session[SIGNED_IN_AT] = timezone.now().timestamp()
    records = get_authentication_records(request, user)
    methods = dict.fromkeys(record.get("type", record["method"]) for record in records)
    note(request, Outcome.SIGNED_IN, user=user, methods=methods)


@receiver(user_logged_out)
def _signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        timed_out = getattr(request, "timed_out", False)
        note(request, Outcome.TIMED_OUT if timed_out else Outcome.SIGNED_OUT, user=user)


@receiver((mfa.authenticator_used, mfa.authenticator_added, mfa.authenticator_reset))
def _second_factor_given(request: HttpRequest, authenticator: Authenticator, **_: Any) -> None:
    """A code of it was right in this session, at sign-in, when asked again or when it was set up.

    New recovery codes are made only where that was so before.
    """
    given = request.session.get(SECOND_FACTORS, [])
    request.session[SECOND_FACTORS] = [*given, authenticator.pk]
