"""Forms that take a code of an authenticator app, or a recovery code."""

import re
from typing import Any

from allauth.core import context
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as base
from allauth.mfa.totp import forms as totp
from django.core.cache import cache
from django.core.exceptions import ValidationError

from credits import signing_in
from credits.models import User

MAX_CODE_LENGTH = 32


class CodeOnce:
    """Takes each code once, right or wrong, for as long as it could be right.

    allauth remembers a code that was right for one step of time only, while it accepts it in as
    many as the tolerance allows.
    """

    user: User
    fields: dict[str, Any]
    cleaned_data: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        attrs = self.fields["code"].widget.attrs
        attrs.update(inputmode="numeric", autofocus=True, maxlength=MAX_CODE_LENGTH)

    def clean_code(self) -> str:
        code = re.sub(r"[^0-9]", "", self.cleaned_data["code"])[:MAX_CODE_LENGTH]
        self.cleaned_data["code"] = code
        try:
            self._use_up(code)
            return super().clean_code()  # type: ignore[misc]
        except ValidationError as error:
            signing_in.code_refused(context.request, self.user, error)
            raise

    def _use_up(self, code: str) -> None:
        key = f"second-factor-{self.user.pk}-{code}"
        steps = 2 * app_settings.TOTP_TOLERANCE + 1
        if not cache.add(key, True, timeout=app_settings.TOTP_PERIOD * steps):
            raise get_adapter().validation_error("incorrect_code")


class AuthenticateForm(CodeOnce, base.AuthenticateForm):
    pass


class ReauthenticateForm(CodeOnce, base.ReauthenticateForm):
    pass


class ActivateTOTPForm(CodeOnce, totp.ActivateTOTPForm):
    pass
