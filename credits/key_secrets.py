"""Secrets of keys: how they are made, known again and kept, whoever they belong to."""

import hashlib
import secrets
import string
import zlib
from datetime import datetime, timedelta

from django.db.models import Q

from credits.models import ApiKey, StaffKey

SECRET_LENGTH = 32
SHOWN_LENGTH = 12
LAST_USED_PRECISION = timedelta(minutes=5)
_ALPHABET = string.ascii_letters + string.digits


def make(prefix: str) -> str:
    """A new secret. Its end is a checksum of the rest, so that one with a typing error is known."""
    body = prefix + "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_LENGTH))
    return body + _checksum(body)


def is_whole(secret: str) -> bool:
    """Whether the checksum at its end is right."""
    return _checksum(secret[:-8]) == secret[-8:]


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def kept(secret: str) -> dict[str, str | bytes]:
    """The two columns that are kept of a secret: its start, to tell keys apart, and its hash."""
    return {"prefix": secret[:SHOWN_LENGTH], "secret_sha256": sha256(secret)}


def sha256(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def note_use(key: ApiKey | StaffKey, *, now: datetime) -> None:
    """Keep when a key was last used, to within five minutes and so without a write each time."""
    stale_before = now - LAST_USED_PRECISION
    if key.last_used_at is None or key.last_used_at < stale_before:
        is_stale = Q(last_used_at=None) | Q(last_used_at__lt=stale_before)
        type(key)._default_manager.filter(is_stale, pk=key.pk).update(last_used_at=now)
