from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from credits import notices
from credits.models import Membership, Notice, Wording


def site(request: HttpRequest) -> dict[str, Any]:
    """What every page may say: the name of the credits, where it is, and who is looking.

    `credits_name`, `is_owner` and `credits_notice` ask the database only when a template uses
    them, once.
    """
    return {
        "credits_name": SimpleLazyObject(lambda: Wording.current().credits_name),
        "is_owner": SimpleLazyObject(lambda: _owns_an_organization(request)),
        "credits_notice": SimpleLazyObject(lambda: _credits_notice(request)),
        "sandbox": settings.STRIPE_SANDBOX,
        "has_playground": settings.PLAYGROUND,
        "signup_open": settings.SIGNUP_OPEN,
        "base_url": settings.BASE_URL,
    }


def _owns_an_organization(request: HttpRequest) -> bool:
    if not request.user.is_authenticated:
        return False
    return request.user.memberships.filter(role=Membership.Role.OWNER).exists()


def _credits_notice(request: HttpRequest) -> Notice | None:
    if not request.user.is_authenticated:
        return None
    chosen = request.session.get("organization", "")
    return notices.shown_on_pages(request.user, chosen, now=timezone.now())
