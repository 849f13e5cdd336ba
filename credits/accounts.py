"""Who may make an account and sign in, on the customers' pages and in the admin."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables
from unfold.forms import AuthenticationForm


class AccountAdapter(DefaultAccountAdapter):
    """Lets people make their own account only when `SIGNUP_OPEN` is set; staff make the others."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return settings.SIGNUP_OPEN

    def format_email_subject(self, subject: str) -> str:
        return subject


def no_change_of_address(request: HttpRequest) -> HttpResponse:
    """There is no such page: nothing here proves that a new address is the person's own."""
    raise Http404


class AdminLoginForm(AuthenticationForm):
    """The admin's sign-in, under the same limit on failed attempts as the customers' one.

    Both count in one place: whoever is stopped at one door does not get more tries at the other.
    """

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        email = self.cleaned_data.get("username")
        password = self.cleaned_data.get("password")
        if email and password:
            user = get_adapter().authenticate(self.request, email=email, password=password)
            if user is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(user)
            self.user_cache = user
        return self.cleaned_data
