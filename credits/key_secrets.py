"""Secrets of keys: how they are made, known again and kept, whoever they belong to."""

import hashlib
import secrets
import string
import zlib
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
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
    if is_note_stale(key.last_used_at, now=now):
        type(key)._default_manager.filter(_has_stale_note(now), pk=key.pk).update(last_used_at=now)


@transaction.atomic
def note_uses(api_keys: Collection[int], *, now: datetime) -> None:
    """Keep for many API keys, by primary key, that they are used now.

    Those that somebody else has locked are passed over: whoever notes or changes them is at it.
    """
    keys = ApiKey.objects.select_for_update(skip_locked=True, no_key=True)
    stale = keys.filter(_has_stale_note(now), pk__in=api_keys).values_list("pk", flat=True)
    ApiKey.objects.filter(pk__in=list(stale)).update(last_used_at=now)


def is_note_stale(last_used_at: datetime | None, *, now: datetime) -> bool:
    """Whether it has to be noted that a key is used now, which was last noted at that moment."""
    return last_used_at is None or last_used_at < now - LAST_USED_PRECISION


def _has_stale_note(now: datetime) -> Q:
    return Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_PRECISION)
