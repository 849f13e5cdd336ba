from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from credits.models import Membership, Wording


def site(request: HttpRequest) -> dict[str, Any]:
    """What every page may say: the name of the credits, where it is, and who is looking.

    `credits_name` and `is_owner` ask the database only when a template uses them, once.
    """
    return {
        "credits_name": SimpleLazyObject(lambda: Wording.current().credits_name),
        "is_owner": SimpleLazyObject(lambda: _owns_an_organization(request)),
        "sandbox": settings.STRIPE_SANDBOX,
        "has_playground": settings.PLAYGROUND,
        "signup_open": settings.SIGNUP_OPEN,
        "base_url": settings.BASE_URL,
    }


def _owns_an_organization(request: HttpRequest) -> bool:
    if not request.user.is_authenticated:
        return False
    return request.user.memberships.filter(role=Membership.Role.OWNER).exists()
