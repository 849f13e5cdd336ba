"""Staff keys: with one a program reads in the name of a member of staff, as far as they may."""

from datetime import datetime, timedelta

from credits import key_secrets
from credits.models import StaffKey, User

MAX_LIFETIME = timedelta(days=366)
_PREFIX = "cs_"


def create_key(
    user: User, *, name: str, expires_at: datetime, now: datetime
) -> tuple[StaffKey, str]:
    """Make a key that acts for a user, for a year at most; returns it and its secret.

    The secret is not kept, so this is the one time it can be shown. Raises ValueError for another
    lifetime.
    """
    if not now < expires_at <= now + MAX_LIFETIME:
        raise ValueError(f"A staff key ends within {MAX_LIFETIME.days} days.")
    secret = key_secrets.make(_PREFIX)
    key = StaffKey.objects.create(
        user=user, name=name, expires_at=expires_at, created_at=now, **key_secrets.kept(secret)
    )
    return key, secret


def revoke_key(key: StaffKey, *, now: datetime) -> bool:
    """Stop a key from working, from the next request on; whether it did until now."""
    return bool(StaffKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now))


def find_key(secret: str, *, now: datetime) -> StaffKey | None:
    """The key with this secret, with its user; None where it, or its user as staff, is done."""
    if not (is_staff_key(secret) and key_secrets.is_whole(secret)):
        return None
    working = StaffKey.objects.select_related("user").filter(
        revoked_at=None, expires_at__gt=now, user__is_active=True, user__is_staff=True
    )
    return working.filter(secret_sha256=key_secrets.sha256(secret)).first()


def is_staff_key(secret: str) -> bool:
    """Whether this is meant to be a staff key."""
    return secret.startswith(_PREFIX)
