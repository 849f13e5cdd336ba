"""Browser tokens: a small, short-lived part of what a secret key may do, signed by us.

A token is not stored. It says what it is for, and the key it was made with is looked up at each
request, so that whatever the key loses its tokens lose at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.core.signing import BadSignature, Signer

from credits.ledger import SpendLimit
from credits.models import ApiKey, Organization, TokenUse

MAX_TOKEN_SECONDS = 900
MAX_TOKEN_CREDITS = 1_000_000
MAX_TOKEN_ACTIONS = 20
MAX_TOKEN_ORIGINS = 10
# How long what a token spent is kept beyond its end, for requests that began before it.
KEPT_AFTER_END = timedelta(hours=1)
_PREFIX = "ct_"
# RFC 6750 has no colon in a token, which is what Django puts before its signatures.
_signer = Signer(salt="credits.tokens.v1", sep=".")


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says: one organization, some actions, some origins, so many credits, until when.

    What it may do is never more than what its key may do at the moment.
    """

    id: UUID
    key_id: int
    organization_id: int
    codes: frozenset[str]
    origins: frozenset[str]
    spend_limit: int
    expires_at: datetime

    @property
    def limit(self) -> SpendLimit:
        return SpendLimit(self.id, self.spend_limit, self.expires_at)


def issue(
    key: ApiKey,
    organization: Organization,
    *,
    actions: Iterable[str],
    origins: Iterable[str],
    spend_limit: int,
    expires_in_seconds: int = MAX_TOKEN_SECONDS,
    now: datetime,
) -> tuple[Token, str]:
    """Make a token for pages of some origins to spend an organization's credits on some actions.

    Returns what it says and the token itself, which is not kept. `spend_limit` is in credits (1 to
    1,000,000) and counts spends and holds together; `expires_in_seconds` is 1 to 900. Raises
    ValueError outside these.
    """
    if not 1 <= spend_limit <= MAX_TOKEN_CREDITS:
        raise ValueError(f"A token spends 1 to {MAX_TOKEN_CREDITS} credits.")
    if not 1 <= expires_in_seconds <= MAX_TOKEN_SECONDS:
        raise ValueError(f"A token lasts 1 to {MAX_TOKEN_SECONDS} seconds.")
    token = Token(
        id=uuid4(),
        key_id=key.pk,
        organization_id=organization.pk,
        codes=frozenset(actions),
        origins=frozenset(origins),
        spend_limit=spend_limit,
        expires_at=now + timedelta(seconds=expires_in_seconds),
    )
    return token, _PREFIX + _signer.sign_object(_claims(token), compress=True)


def _claims(token: Token) -> dict[str, Any]:
    return {
        "id": token.id.hex,
        "key": token.key_id,
        "organization": token.organization_id,
        "actions": sorted(token.codes),
        "origins": sorted(token.origins),
        "limit": token.spend_limit,
        "until": token.expires_at.isoformat(),
    }


def is_token(secret: str) -> bool:
    """Whether this is meant to be a browser token and not a secret key."""
    return secret.startswith(_PREFIX)


def read(token: str, *, now: datetime) -> Token | None:
    """What a token says; None when it is not one of ours, was changed, or its time is up."""
    try:
        claims = _signer.unsign_object(token.removeprefix(_PREFIX))
    except (BadSignature, ValueError):
        return None
    found = Token(
        id=UUID(claims["id"]),
        key_id=claims["key"],
        organization_id=claims["organization"],
        codes=frozenset(claims["actions"]),
        origins=frozenset(claims["origins"]),
        spend_limit=claims["limit"],
        expires_at=datetime.fromisoformat(claims["until"]),
    )
    return found if now < found.expires_at else None


def forget_expired(*, now: datetime) -> int:
    """Delete what is kept of tokens that ended an hour ago or earlier; says of how many."""
    return TokenUse.objects.filter(expires_at__lte=now - KEPT_AFTER_END).delete()[0]
