"""Sessions of staff: they end in time, and open the admin only with a second factor."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from credits import second_factors
from credits.signing_in import SECOND_FACTORS, SIGNED_IN_AT

View = Callable[..., HttpResponse]

ACTIVE_AT = "active_at"
# Where somebody was led away from to set up a second factor.
CAME_FROM = "came_from"
# So often at most a session is written for being used.
WRITTEN_EVERY = timedelta(minutes=1)
# Pages of allauth.mfa for whoever has yet to show the second factor.
TAKES_THE_FACTOR = ("mfa_authenticate", "mfa_reauthenticate")


class StaffSessionsMiddleware:
    """Signs staff out in time, and stands before the admin and the pages of second factors."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Who has no session is nobody, and is not looked up.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and _is_staff(request):
            _end_or_keep(request, timezone.now())
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        assert match is not None
        if "admin" in match.namespaces and match.url_name != "logout":
            return ask_for_second_factor(request)
        name = match.url_name or ""
        if name.startswith("mfa_") and name not in TAKES_THE_FACTOR:
            return _ask_for_the_one_there_is(request)
        return None


def staff_required(view: View) -> View:
    """For a view of staff outside the admin: it opens under the same conditions."""

    @wraps(view)
    def behind_the_door(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return ask_for_second_factor(request) or view(request, *args, **kwargs)

    return staff_member_required(behind_the_door)


def ask_for_second_factor(request: HttpRequest) -> HttpResponse | None:
    """Where staff must go first to show a second factor, or to set one up; None if nowhere."""
    if not settings.STAFF_TWO_FACTOR_REQUIRED or not _is_staff(request) or _has_shown_it(request):
        return None
    return _ask_for_the_one_there_is(request) or _lead_to_setting_up(request)


def _is_staff(request: HttpRequest) -> bool:
    return bool(request.user.is_authenticated and request.user.is_staff)


def _has_shown_it(request: HttpRequest) -> bool:
    """Whether a second factor that the user still has was given in this session."""
    given = request.session.get(SECOND_FACTORS, ())
    return bool(given) and Authenticator.objects.filter(user=request.user, pk__in=given).exists()


def _ask_for_the_one_there_is(request: HttpRequest) -> HttpResponse | None:
    if not request.user.is_authenticated or _has_shown_it(request):
        return None
    if not second_factors.has_one(request.user):
        return None
    query = urlencode({"next": request.get_full_path()})
    return HttpResponseRedirect(f"{reverse('mfa_reauthenticate')}?{query}")


def _lead_to_setting_up(request: HttpRequest) -> HttpResponse:
    request.session[CAME_FROM] = request.get_full_path()
    messages.info(request, _("Staff sign in with a second factor. Set one up to go on."))
    return HttpResponseRedirect(reverse("mfa_activate_totp"))


def _end_or_keep(request: HttpRequest, now: datetime) -> None:
    if why := _over(request, now):
        request.timed_out = True  # type: ignore[attr-defined]
        logout(request)
        messages.info(request, why)
        return
    active_at = request.session.get(ACTIVE_AT, 0)
    if now.timestamp() - active_at >= WRITTEN_EVERY.total_seconds():
        request.session[ACTIVE_AT] = now.timestamp()


def _over(request: HttpRequest, now: datetime) -> str:
    """Why the session is over, in words for its owner; nothing while it is not.

    One from before this was counted begins when it is first seen.
    """
    session, moment = request.session, now.timestamp()
    signed_in_at = session.setdefault(SIGNED_IN_AT, moment)
    minutes, hours = settings.STAFF_SESSION_IDLE_MINUTES, settings.STAFF_SESSION_MAX_HOURS
    if moment - session.get(ACTIVE_AT, signed_in_at) >= minutes * 60:
        return ngettext(
            "You were signed out, as nothing happened for a minute. Sign in to go on.",
            "You were signed out, as nothing happened for %(number)s minutes. Sign in to go on.",
            minutes,
        ) % {"number": minutes}
    if moment - signed_in_at >= hours * 3600:
        return ngettext(
            "You were signed out, as an hour has passed. Sign in to go on.",
            "You were signed out, as %(number)s hours have passed. Sign in to go on.",
            hours,
        ) % {"number": hours}
    return ""
