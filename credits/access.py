"""API keys: making, finding and revoking them, and what they and their tokens may do."""

import hashlib
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet

from credits import origins, tokens
from credits.ledger import SpendLimit
from credits.models import Action, ApiKey, Organization, Service, User

SECRET_LENGTH = 32
SHOWN_LENGTH = 12
LAST_USED_PRECISION = timedelta(minutes=5)
_ALPHABET = string.ascii_letters + string.digits


@transaction.atomic
def create_key(
    *,
    name: str,
    organization: Organization | None = None,
    service: Service | None = None,
    allowed_actions: Iterable[Action] = (),
    allowed_origins: Iterable[str] = (),
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """Make a key for an organization or for a service; returns it and its secret.

    The secret is not kept, so this is the one time it can be shown. Its end is a checksum of the
    rest, so that a mistyped key, or a string that looks like one in a code scan, is known as such
    without a database. Pages of its `allowed_origins` may use browser tokens made with it; raises
    ValidationError where one is no origin.
    """
    secret = _new_secret("org" if organization else "svc")
    key = ApiKey.objects.create(
        name=name,
        organization=organization,
        service=service,
        allowed_origins=sorted({origins.normalize(origin) for origin in allowed_origins}),
        prefix=secret[:SHOWN_LENGTH],
        secret_sha256=_hash(secret),
        expires_at=expires_at,
        created_by=created_by,
    )
    key.allowed_actions.set(allowed_actions)
    return key, secret


def revoke_key(key: ApiKey, *, now: datetime) -> None:
    """Stop a key from working, from the next request on; revoking it again changes nothing."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)


@dataclass(frozen=True, slots=True)
class Access:
    """What a request may do: that of a working key, or that of one of its browser tokens.

    `organization` is the one it is for; None where each request names one. `codes` are the actions
    it may spend, None for all. With a `token` only pages of `origins` may use it.
    """

    key: ApiKey
    organization: Organization | None
    codes: frozenset[str] | None
    token: tokens.Token | None = None
    origins: frozenset[str] = frozenset()

    @property
    def limit(self) -> SpendLimit | None:
        """How many credits it may spend in all; None for a key, which may spend them all."""
        return self.token.limit if self.token else None

    def may_use(self, action_code: str) -> bool:
        return self.codes is None or action_code in self.codes


def find_access(secret: str, *, now: datetime) -> Access | None:
    """What the key or token with this secret may do now; None when it does not work.

    A service's key spends that service's actions only, and a restricted key those it lists. A token
    may do what its key may do too. One query, and one more for a token of a service's key.
    """
    if tokens.is_token(secret):
        token = tokens.read(secret, now=now)
        return _token_access(token, now) if token else None
    if not _has_valid_checksum(secret):
        return None
    key = _with_codes(now).filter(secret_sha256=_hash(secret)).first()
    return Access(key, key.organization, _key_codes(key)) if key else None


def _token_access(token: tokens.Token, now: datetime) -> Access | None:
    key = _with_codes(now).filter(pk=token.key_id).first()
    if key is None:
        return None
    organization = key.organization or Organization.objects.get(pk=token.organization_id)
    of_key = _key_codes(key)
    return Access(
        key,
        organization,
        codes=token.codes if of_key is None else token.codes & of_key,
        token=token,
        origins=token.origins.intersection(key.allowed_origins),
    )


def allows_origin(origin: str, *, now: datetime) -> bool:
    """Whether some key that works now lets pages of this origin use its tokens."""
    return (
        origins.is_normal(origin)
        and _working_keys(now).filter(allowed_origins__contains=[origin]).exists()
    )


def _working_keys(now: datetime) -> QuerySet[ApiKey]:
    unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
    return ApiKey.objects.filter(unexpired, revoked_at=None)


def _with_codes(now: datetime) -> "QuerySet[Any]":
    return (
        _working_keys(now)
        .select_related("organization")
        .annotate(allowed_codes=_codes(apikey=OuterRef("pk")))
        .annotate(service_codes=_codes(service=OuterRef("service")))
    )


def _key_codes(key: Any) -> frozenset[str] | None:
    codes = frozenset(key.service_codes) if key.service_id else None
    if not key.allowed_codes:
        return codes
    allowed = frozenset(key.allowed_codes)
    return allowed if codes is None else codes & allowed


def _codes(**actions: OuterRef) -> ArraySubquery:
    return ArraySubquery(Action.objects.filter(**actions).values("code"))


def note_use(key: ApiKey, *, now: datetime) -> None:
    """Keep when a key was last used, to within five minutes and so without a write each time."""
    stale_before = now - LAST_USED_PRECISION
    if key.last_used_at is None or key.last_used_at < stale_before:
        is_stale = Q(last_used_at=None) | Q(last_used_at__lt=stale_before)
        ApiKey.objects.filter(is_stale, pk=key.pk).update(last_used_at=now)


def _new_secret(kind: str) -> str:
    body = f"ck_{kind}_" + "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_LENGTH))
    return body + _checksum(body)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def _has_valid_checksum(secret: str) -> bool:
    return secret.startswith("ck_") and _checksum(secret[:-8]) == secret[-8:]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
