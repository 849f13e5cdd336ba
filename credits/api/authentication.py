"""Who is calling: the API key or browser token of a request."""

from datetime import datetime

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from credits import access, key_secrets, origins, staff_keys, tokens
from credits.api.problems import ApiProblem
from credits.models import StaffKey, User

KEY_FAILED = "This API key does not work: it is mistyped, revoked or expired. Use another one."
TOKEN_FAILED = (
    "This browser token does not work: its time is up, its API key was revoked, or it is broken. "
    "Get a new one from your server."
)
STAFF_KEY_FAILED = (
    "This staff key does not work: it is mistyped, revoked or expired, or its owner is no longer "
    "active staff. Make another one in the admin, under Staff keys."
)
NOT_FOR_STAFF = (
    "This is a staff key, which only explains. Use an API key of the organization or the service."
)
ONLY_FOR_STAFF = (
    "This call is for staff. Make a staff key (cs_…) in the admin, under Staff keys, and use that."
)
KEY_IN_PAGE = (
    "This is a secret key, and a web page sent it, where everybody can read it. Revoke it and keep "
    "keys on your server: let that make a token for the page with POST /api/v1/tokens."
)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key or token>` (RFC 6750); `request.auth` is an `access.Access`."""

    def authenticate(self, request: Request) -> tuple[None, access.Access] | None:
        secret = _bearer(request)
        if secret is None:
            return None
        now = timezone.now()
        found = _known_caller(request, secret, now)
        key_secrets.note_use(found.key, now=now)
        return None, found

    def authenticate_header(self, request: HttpRequest | Request) -> str:
        return "Bearer"


class HasApiKey(BasePermission):
    """Lets in whoever sent a working key, or a browser token where the view takes those."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, access.Access):
            return False
        if request.auth.token and not getattr(view, "allows_tokens", False):
            raise ApiProblem(
                "forbidden",
                "A browser token may not do this. Use the secret key, on your server.",
            )
        return True


class StaffKeyAuthentication(ApiKeyAuthentication):
    """`Authorization: Bearer <staff key>`; `request.user` is its owner."""

    def authenticate(  # type: ignore[override]
        self, request: Request
    ) -> tuple[User, StaffKey] | None:
        secret = _bearer(request)
        if secret is None:
            return None
        now = timezone.now()
        key = _known_staff(request, secret, now)
        key_secrets.note_use(key, now=now)
        return key.user, key


class MayExplain(BasePermission):
    """Lets in the staff key of somebody who has all permissions that the view names."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, StaffKey):
            return False
        needs: tuple[str, ...] = getattr(view, "needs", ())
        missing = [name for name in needs if not request.auth.user.has_perm(name)]
        if missing:
            raise ApiProblem(
                "forbidden",
                f"The owner of this staff key lacks the permission {missing[0]}. Ask an "
                "administrator for a group that has it.",
            )
        return True


def _bearer(request: Request) -> str | None:
    """The secret in the request's header; None where it has none."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _known_staff(request: Request, secret: str, now: datetime) -> StaffKey:
    if access.is_key(secret) or tokens.is_token(secret):
        raise ApiProblem("forbidden", ONLY_FOR_STAFF)
    _refuse_key_in_page(request)
    key = staff_keys.find_key(secret, now=now)
    if key is None:
        raise AuthenticationFailed(STAFF_KEY_FAILED)
    return key


def _known_caller(request: Request, secret: str, now: datetime) -> access.Access:
    if staff_keys.is_staff_key(secret):
        raise ApiProblem("forbidden", NOT_FOR_STAFF)
    if access.is_key(secret):
        _refuse_key_in_page(request)
    found = access.find_access(secret, now=now)
    if found is None:
        raise AuthenticationFailed(TOKEN_FAILED if tokens.is_token(secret) else KEY_FAILED)
    if found.token:
        _refuse_other_pages(request, found)
    return found


def _refuse_key_in_page(request: Request) -> None:
    is_foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    if is_foreign or _page_origin(request) not in (None, origins.of(settings.BASE_URL)):
        raise ApiProblem("forbidden", KEY_IN_PAGE)


def _refuse_other_pages(request: Request, found: access.Access) -> None:
    origin = _page_origin(request)
    if origin not in found.origins:
        source = f"from {origin[:100]}" if origin else "without an Origin"
        pages = ", ".join(sorted(found.origins)) or "no origin that its key still allows"
        raise ApiProblem(
            "forbidden",
            f"This token is for pages of {pages}, and the request came {source}. Use the secret "
            "key on a server, and in a page a token made for its origin.",
        )


def _page_origin(request: Request) -> str | None:
    """The origin of the page that sent a request; None where no page did, or it doesn't say so.

    A page of ours need not send an `Origin`, but `Sec-Fetch-Site: same-origin` tells the same, and
    no script can set it (https://www.w3.org/TR/fetch-metadata/).
    """
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return origins.of(settings.BASE_URL)
    return request.headers.get("Origin")
