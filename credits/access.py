"""API keys: making, finding and revoking them."""

import hashlib
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef, Q

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
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """Make a key for an organization or for a service; returns it and its secret.

    The secret is not kept, so this is the one time it can be shown. Its end is a checksum of the
    rest, so that a mistyped key, or a string that looks like one in a code scan, is known as such
    without a database.
    """
    secret = _new_secret("org" if organization else "svc")
    key = ApiKey.objects.create(
        name=name,
        organization=organization,
        service=service,
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
    """A working key and the codes of the actions it may spend, None for all."""

    key: ApiKey
    codes: frozenset[str] | None

    @property
    def organization(self) -> Organization | None:
        """The one it is for; None where each request names one."""
        return self.key.organization

    def may_use(self, action_code: str) -> bool:
        return self.codes is None or action_code in self.codes


def find_access(secret: str, *, now: datetime) -> Access | None:
    """What the key with this secret may do now, in one query; None when it does not work.

    A service's key spends that service's actions only, and a restricted key those it lists.
    """
    if not _has_valid_checksum(secret):
        return None
    row = (
        ApiKey.objects.filter(secret_sha256=_hash(secret), revoked_at=None)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .select_related("organization")
        .annotate(allowed_codes=_codes(apikey=OuterRef("pk")))
        .annotate(service_codes=_codes(service=OuterRef("service")))
        .first()
    )
    if row is None:
        return None
    codes = frozenset(row.service_codes) if row.service_id else None
    if row.allowed_codes:
        allowed = frozenset(row.allowed_codes)
        codes = allowed if codes is None else codes & allowed
    return Access(row, codes)


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
