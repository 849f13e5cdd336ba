"""Which Content-Security-Policy each page has (https://www.w3.org/TR/CSP3/)."""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase
from django.urls import ResolverMatch

Directives = dict[str, Any]

# Everything is ours and in a file: nothing inline, nothing from elsewhere, nothing in a frame.
STRICT: Directives = {
    "default-src": [SELF],
    "object-src": [NONE],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
    "form-action": [SELF],
}

# What the admin's libraries can't do without: Unfold writes its colors into the page and has Alpine
# evaluate the expressions there, and the form of periodic tasks has one inline script.
ADMIN: Directives = {
    "form-action": [SELF],
    "script-src": [SELF, UNSAFE_EVAL, "'sha256-QE3U2xYF7B4J2ro1/9oxiKhaWCGW39gB7ocQ/xlD0bE='"],
    "style-src": [SELF, UNSAFE_INLINE],
}

# What differs on a single page, by the name of its address.
PAGES: dict[str, Directives] = {
    # The style sheet of Swagger UI holds its icons.
    "api-docs": {"img-src": [SELF, "data:"]},
    # The secret is drawn into the page as a QR code, and is at no address of its own.
    "mfa_activate_totp": {"img-src": [SELF, "data:"]},
    # Whoever paid is sent on to wherever the shop is.
    "sandbox-pay": {"form-action": None},
}


class PolicyMiddleware(CSPMiddleware):
    """Gives each page the strict policy, with what differs there."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        parts.replace = parts.replace or _differences(request.resolver_match)
        return parts


def _differences(match: ResolverMatch | None) -> Directives:
    if match is None:
        return {}
    return ADMIN if match.namespace == "admin" else PAGES.get(match.url_name or "", {})
