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

from credits import access, origins, tokens
from credits.api.problems import ApiProblem

KEY_FAILED = "This API key does not work: it is mistyped, revoked or expired. Use another one."
TOKEN_FAILED = (
    "This browser token does not work: its time is up, its API key was revoked, or it is broken. "
    "Get a new one from your server."
)
KEY_IN_PAGE = (
    "This is a secret key, and a web page sent it, where everybody can read it. Revoke it and keep "
    "keys on your server: let that make a token for the page with POST /api/v1/tokens."
)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key or token>` (RFC 6750); `request.auth` is an `access.Access`."""

    def authenticate(self, request: Request) -> tuple[None, access.Access] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = timezone.now()
        found = _known_caller(request, secret.strip(), now)
        access.note_use(found.key, now=now)
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


def _known_caller(request: Request, secret: str, now: datetime) -> access.Access:
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
