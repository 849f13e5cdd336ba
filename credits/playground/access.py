"""The key that the playground's pages get their tokens by."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from credits import access, origins, tokens
from credits.models import Action, ApiKey, Organization, User

KEY_NAME = "Playground"
ACTIONS = (
    "rich-text.generate",
    "alt-text.generate",
    "shoppable-images.detect",
    "background.remove",
)
SPEND_LIMIT = 1_000


class Closed(Exception):
    """Owners have taken the playground's key away; the words say so kindly."""


def issue_token(
    organization: Organization, user: User, *, now: datetime
) -> tuple[tokens.Token, str]:
    """A token for the playground's pages, of the organization's newest key named KEY_NAME.

    The first time, the key is made, and its secret thrown away. Raises Closed where that key was
    revoked, has expired, or is not for our pages.
    """
    origin = origins.of(settings.BASE_URL)
    key = _find_or_make_key(organization, user, origin)
    is_over = key.revoked_at or (key.expires_at and key.expires_at <= now)
    if is_over or origin not in key.allowed_origins:
        raise Closed(_why_closed(organization, origin))
    return tokens.issue(
        key,
        organization,
        actions=ACTIONS,
        origins=[origin],
        spend_limit=SPEND_LIMIT,
        now=now,
    )


@transaction.atomic
def _find_or_make_key(organization: Organization, user: User, origin: str) -> ApiKey:
    # Locked, as two tabs that open at once would make two keys.
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    found = organization.api_keys.filter(name=KEY_NAME).first()
    if found:
        return found
    key, _secret = access.create_key(
        name=KEY_NAME,
        organization=organization,
        allowed_actions=Action.objects.filter(code__in=ACTIONS),
        allowed_origins=[origin],
        created_by=user,
    )
    return key


def _why_closed(organization: Organization, origin: str) -> str:
    return _(
        "The playground rests: the key “%(key)s” of %(organization)s does not work any more. To "
        "open it again, an owner makes a new key with that name which allows the origin %(origin)s."
    ) % {"key": KEY_NAME, "organization": organization.name, "origin": origin}
