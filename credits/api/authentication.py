"""Who is calling: the API key of a request."""

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from credits import access


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>` (RFC 6750); `request.auth` is then an `access.Access`."""

    def authenticate(self, request: Request) -> tuple[None, access.Access] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = timezone.now()
        found = access.find_access(secret.strip(), now=now)
        if found is None:
            raise AuthenticationFailed(
                "This API key does not work: it is mistyped, revoked or expired. Use another one."
            )
        access.note_use(found.key, now=now)
        return None, found

    def authenticate_header(self, request: HttpRequest | Request) -> str:
        return "Bearer"


class HasApiKey(BasePermission):
    """Lets in whoever sent a working key."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, access.Access)
