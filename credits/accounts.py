"""Who may make an account and sign in, on the customers' pages and in the admin."""

from typing import Any
from urllib.parse import urlencode

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import get_next_redirect_url
from allauth.core import context
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from credits import second_factors, signing_in
from credits.sign_ins import Outcome


class AccountAdapter(DefaultAccountAdapter):
    """Lets people make their own account only when `SIGNUP_OPEN` is set; staff make the others.

    Tries that fail, and those that are refused, are noted in the sign-in log.
    """

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return settings.SIGNUP_OPEN

    def format_email_subject(self, subject: str) -> str:
        return subject

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            signing_in.note(request, Outcome.REFUSED, email=credentials.get("email", ""))
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        signing_in.note(request, Outcome.WRONG_PASSWORD, email=credentials.get("email", ""))

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        signing_in.note(request, Outcome.REFUSED, user=user)
        return super().respond_user_inactive(request, user)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Not so soon after the sign-in itself that it would be asked for twice in a row."""
        signed_in_at = context.request.session.get(signing_in.SIGNED_IN_AT, 0)
        is_fresh = timezone.now().timestamp() - signed_in_at < app_settings.REAUTHENTICATION_TIMEOUT
        return not is_fresh and super().is_reauthentication_required(app=app, **kwargs)

    def send_notification_mail(
        self, template_prefix: str, user: Any, context: Any = None, email: str | None = None
    ) -> None:
        """Of allauth's notices, those about second factors go out, in our words."""
        change = second_factors.CHANGES.get(template_prefix.removeprefix("mfa/email/"))
        if change:
            second_factors.tell(user, change, now=timezone.now())


def no_change_of_address(request: HttpRequest) -> HttpResponse:
    """There is no such page: nothing here proves that a new address is the person's own."""
    raise Http404


def admin_door(request: HttpRequest) -> HttpResponse:
    """The way into the admin: the one page where everybody signs in, and back again.

    So there is one limit on failed attempts, one question for a second factor and one log.
    """
    wanted = get_next_redirect_url(request) or reverse("admin:index")
    if not request.user.is_authenticated:
        query = urlencode({"next": wanted})
        return HttpResponseRedirect(f"{reverse('account_login')}?{query}")
    if not request.user.is_staff:
        return render(request, "account/not_staff.html", status=403)
    return HttpResponseRedirect(wanted)
