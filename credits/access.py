"""API keys: making, finding, changing, rotating and revoking them, and what they may do."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Model, Q

from credits import activity, key_secrets, origins, tokens
from credits.activity import Kind
from credits.ledger import SpendLimit, database
from credits.models import Action, ApiKey, Organization, Service, User

_PREFIX = "ck_"
_M = TypeVar("_M", bound=Model)


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
    replaces: ApiKey | None = None,
) -> tuple[ApiKey, str]:
    """Make a key for an organization or for a service; returns it and its secret.

    The secret is not kept, so this is the one time it can be shown. Its end is a checksum of the
    rest, so that a mistyped key, or a string that looks like one in a code scan, is known as such
    without a database. Pages of its `allowed_origins` may use browser tokens made with it; raises
    ValidationError where one is no origin.
    """
    secret = key_secrets.make(f"{_PREFIX}{'org' if organization else 'svc'}_")
    key = ApiKey.objects.create(
        name=name,
        organization=organization,
        service=service,
        allowed_origins=_normal_origins(allowed_origins),
        expires_at=expires_at,
        created_by=created_by,
        replaces=replaces,
        **key_secrets.kept(secret),
    )
    key.allowed_actions.set(allowed_actions)
    if replaces is None:
        _record(key, Kind.KEY_CREATED, created_by, key.created_at, prefix=key.prefix)
    return key, secret


@transaction.atomic
def change_key(
    key: ApiKey,
    *,
    name: str,
    allowed_actions: Collection[Action],
    allowed_origins: Iterable[str],
    by: User | None,
    now: datetime,
) -> None:
    """Give a key another name, other actions (none for all) or origins; its secret stays.

    Raises ValidationError where an origin is none.
    """
    old = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    key.name, key.allowed_origins = name, _normal_origins(allowed_origins)
    key.save(update_fields=("name", "allowed_origins"))
    if name != old.name:
        _record(key, Kind.KEY_RENAMED, by, now, before=old.name)
    if set(allowed_actions) != set(key.allowed_actions.all()):
        key.allowed_actions.set(allowed_actions)
        _record_actions(key, by, now)
    if key.allowed_origins != old.allowed_origins:
        _record_origins(key, by, now)


def _normal_origins(allowed_origins: Iterable[str]) -> list[str]:
    return sorted({origins.normalize(origin) for origin in allowed_origins})


@transaction.atomic
def change_expiry(
    key: ApiKey, expires_at: datetime | None, *, by: User | None, now: datetime
) -> None:
    """Let a key work until another moment, or without an end (None)."""
    key.expires_at = expires_at
    key.save(update_fields=("expires_at",))
    if expires_at:
        _record(key, Kind.KEY_EXPIRY_SET, by, now, expires_at=expires_at.isoformat())
    else:
        _record(key, Kind.KEY_EXPIRY_REMOVED, by, now)


def _record_actions(key: ApiKey, by: User | None, now: datetime) -> None:
    codes = ", ".join(sorted(action.code for action in key.allowed_actions.all()))
    if codes:
        _record(key, Kind.KEY_RESTRICTED, by, now, actions=codes)
    else:
        _record(key, Kind.KEY_UNRESTRICTED, by, now)


def _record_origins(key: ApiKey, by: User | None, now: datetime) -> None:
    if key.allowed_origins:
        _record(key, Kind.KEY_OPENED_TO_PAGES, by, now, origins=", ".join(key.allowed_origins))
    else:
        _record(key, Kind.KEY_CLOSED_TO_PAGES, by, now)


class KeyDoesNotWork(Exception):
    """The key is revoked, expired or replaced already; nothing was changed."""


@transaction.atomic
def rotate_key(
    key: ApiKey, *, grace: timedelta, by: User | None, now: datetime
) -> tuple[ApiKey, str]:
    """Make a key of the same settings with a new secret; returns it and its secret.

    The old one works for `grace` more, but no longer than it would have. Raises KeyDoesNotWork.
    """
    old = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    if not old.works_at(now) or ApiKey.objects.filter(replaces=old).exists():
        raise KeyDoesNotWork
    new, secret = create_key(
        name=old.name,
        organization=old.organization,
        service=old.service,
        allowed_actions=old.allowed_actions.all(),
        allowed_origins=old.allowed_origins,
        expires_at=old.expires_at,
        created_by=by,
        replaces=old,
    )
    stops_at = min(now + grace, old.expires_at or now + grace)
    ApiKey.objects.filter(pk=old.pk).update(expires_at=stops_at)
    facts = {"prefix": new.prefix, "old_prefix": old.prefix, "stops_at": stops_at.isoformat()}
    _record(new, Kind.KEY_ROTATED, by, now, **facts)
    return new, secret


@transaction.atomic
def revoke_key(key: ApiKey, *, now: datetime, by: User | None = None) -> None:
    """Stop a key from working, from the next request on; revoking it again changes nothing."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
        _record(key, Kind.KEY_REVOKED, by, now, prefix=key.prefix)


def _record(key: ApiKey, kind: Kind, by: User | None, now: datetime, **facts: str) -> None:
    """Note it in the list of the key's organization; a service has no such list."""
    if key.organization:
        activity.record(key.organization, kind, actor=by, now=now, name=key.name, **facts)


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
    if not (is_key(secret) and key_secrets.is_whole(secret)):
        return None
    found = _working_key(_BY_SECRET, secret=key_secrets.sha256(secret), now=now)
    if found is None:
        return None
    key, codes = found
    return Access(key, key.organization, codes)


def _token_access(token: tokens.Token, now: datetime) -> Access | None:
    found = _working_key(_BY_ID, id=token.key_id, now=now)
    if found is None:
        return None
    key, of_key = found
    organization = key.organization or Organization.objects.get(pk=token.organization_id)
    return Access(
        key,
        organization,
        codes=token.codes if of_key is None else token.codes & of_key,
        token=token,
        origins=token.origins.intersection(key.allowed_origins),
    )


def is_key(secret: str) -> bool:
    """Whether this is meant to be a secret key."""
    return secret.startswith(_PREFIX)


def allows_origin(origin: str, *, now: datetime) -> bool:
    """Whether some key that works now lets pages of this origin use its tokens."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
    return (
        origins.is_normal(origin)
        and ApiKey.objects.filter(
            unexpired, revoked_at=None, allowed_origins__contains=[origin]
        ).exists()
    )


def _columns(model: type[Model]) -> str:
    return ", ".join(
        f"{model._meta.db_table}.{field.column}" for field in model._meta.concrete_fields
    )


# Every request asks this, and it takes several times as long to put into words through the ORM.
_WORKING_KEY = f"""
SELECT {_columns(ApiKey)}, {_columns(Organization)},
    ARRAY(
        SELECT a.code FROM credits_apikey_allowed_actions allowed
        JOIN credits_action a ON a.id = allowed.action_id
        WHERE allowed.apikey_id = credits_apikey.id
    ),
    ARRAY(SELECT a.code FROM credits_action a WHERE a.service_id = credits_apikey.service_id)
FROM credits_apikey
LEFT JOIN credits_organization ON credits_organization.id = credits_apikey.organization_id
WHERE credits_apikey.revoked_at IS NULL
    AND (credits_apikey.expires_at IS NULL OR credits_apikey.expires_at > %(now)s)
    AND credits_apikey."""  # noqa: S608 our names
_BY_SECRET = f"{_WORKING_KEY}secret_sha256 = %(secret)s"
_BY_ID = f"{_WORKING_KEY}id = %(id)s"


def _working_key(query: str, **parameters: Any) -> tuple[ApiKey, frozenset[str] | None] | None:
    """The key that works, with its organization, and the codes of the actions it may spend."""
    for row in database.fetch(query, **parameters):
        values = iter(row)
        key, organization = _read(ApiKey, values), _read(Organization, values)
        if key.organization_id:
            key.organization = organization
        allowed, service = map(frozenset, values)
        if key.service_id:
            return key, allowed & service if allowed else service
        return key, allowed or None
    return None


def _read(model: type[_M], values: Iterator[Any]) -> _M:
    """An object of the next values of a row."""
    names = [field.attname for field in model._meta.concrete_fields]
    return model.from_db(DEFAULT_DB_ALIAS, names, list(islice(values, len(names))))
