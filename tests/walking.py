"""Every page of the customers, for tests that walk them all."""

from collections.abc import Iterator
from dataclasses import dataclass

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.test import Client
from django.utils import timezone

from credits.access import create_key
from credits.models import Membership, Organization, User
from topups import checkout
from topups.models import Price, Purchase
from topups.sandbox import bank, refunds, sessions
from topups.sandbox.models import Session

PASSWORD = "a-calm-harbor-7"


@dataclass(frozen=True)
class Stop:
    """A page of the walk. `path` may name what `furnish` returns, as in `/keys/{key}/revoke/`.

    `visitor` is who looks: an `owner`, a `loner` without an organization, `staff`, or `nobody`.
    """

    name: str
    path: str
    visitor: str = "owner"
    status: int = 200


# A new page gets a line here; its pictures are var/screenshots/<name>-<mode>.png.
WALK = (
    Stop("walk-sign-in", "/accounts/login/", "nobody"),
    Stop("walk-sign-up", "/accounts/signup/", "nobody"),
    Stop("walk-reset-password", "/accounts/password/reset/", "nobody"),
    Stop("walk-reset-sent", "/accounts/password/reset/done/", "nobody"),
    Stop("walk-reset-broken-link", "/accounts/password/reset/key/1-x/", "nobody"),
    Stop("walk-new-password", "/accounts/password/reset/key/{reset}/", "nobody"),
    Stop("walk-password-changed", "/accounts/password/reset/key/done/", "nobody"),
    Stop("walk-inactive", "/accounts/inactive/", "nobody"),
    Stop("walk-problem", "/problems/out-of-credits/", "nobody"),
    Stop("walk-docs", "/docs/", "nobody"),
    Stop("walk-api-guide", "/docs/api/", "nobody"),
    Stop("walk-javascript-guide", "/docs/javascript/", "nobody"),
    Stop("walk-python-guide", "/docs/python/", "nobody"),
    Stop("walk-not-found", "/nothing/", "nobody", 404),
    Stop("walk-not-allowed", "/keys/", "loner", 403),
    Stop("walk-no-organization", "/top-up/", "loner"),
    Stop("walk-nothing-bought", "/purchases/", "loner"),
    Stop("walk-top-up", "/top-up/"),
    Stop("walk-paid", "/top-up/return/?session_id={paid}"),
    Stop("walk-refunded", "/top-up/return/?session_id={refunded}"),
    Stop("walk-processing", "/top-up/return/?session_id={processing}"),
    Stop("walk-failed", "/top-up/return/?session_id={failed}"),
    Stop("walk-expired", "/top-up/return/?session_id={expired}"),
    Stop("walk-pending", "/top-up/return/?session_id={pending}"),
    Stop("walk-canceled", "/top-up/canceled/{pending_purchase}/"),
    Stop("walk-purchases", "/purchases/"),
    Stop("walk-keys", "/keys/"),
    Stop("walk-revoke-key", "/keys/{key}/revoke/"),
    Stop("walk-change-password", "/accounts/password/change/"),
    Stop("walk-sign-out", "/accounts/logout/"),
    Stop("walk-sandbox-pay", "/sandbox/pay/{pending}/"),
    Stop("walk-sandbox-control", "/sandbox/", "staff"),
)


def furnish(name: str = "Fern & Field") -> dict[str, str]:
    """An organization in whose rooms something is to be seen; ids for the paths of the walk."""
    organization = Organization.objects.create(name=name, show_balance=True)
    second = Organization.objects.create(name="Zebra Lane")
    owner = User.objects.create_user("owner@example.com", PASSWORD)
    for owned in (organization, second):
        Membership.objects.create(organization=owned, user=owner, role=Membership.Role.OWNER)
    User.objects.create_user("loner@example.com")
    User.objects.create_superuser("staff@example.com")
    key, _ = create_key(name="CMS", organization=organization)
    pending = _pending(organization, owner, 500)
    reset = f"{user_pk_to_url_str(owner)}-{default_token_generator.make_token(owner)}"
    return {
        "key": str(key.pk),
        "reset": reset,
        **_decided(organization, owner),
        "pending": str(pending.stripe_session_id),
        "pending_purchase": str(pending.pk),
    }


def _decided(organization: Organization, owner: User) -> dict[str, str]:
    """The session ids of purchases that went every way they can go."""
    now = timezone.now()
    ids = {}
    for name in ("paid", "refunded", "failed", "expired", "processing"):
        ids[name] = str(_pending(organization, owner, 2_000).stripe_session_id)
        if name in ("paid", "refunded"):
            sessions.pay(ids[name], "4242424242424242", now=now)
        elif name == "expired":
            sessions.expire(ids[name], now=now)
        else:
            sessions.pay_by_bank(ids[name], now=now)
    payments = {name: Session.objects.get(pk=ids[name]).payment_id for name in ids}
    refunds.create(payments["refunded"], 4_00, now=now)
    bank.refuse(payments["failed"], now=now)
    return ids


def _pending(organization: Organization, owner: User, credits: int) -> Purchase:
    price = Price.objects.select_related("plan").get(plan__credits=credits)
    checkout.start(price, organization, owner, now=timezone.now())
    return Purchase.objects.latest("created_at")


def clients() -> dict[str, Client]:
    """Everybody who walks, signed in."""
    visitors = {"nobody": Client()}
    for name in ("owner", "loner", "staff"):
        visitors[name] = Client()
        visitors[name].force_login(User.objects.get(email=f"{name}@example.com"))
    return visitors


def stops(ids: dict[str, str]) -> Iterator[tuple[Stop, str]]:
    """Each page with its address."""
    for stop in WALK:
        yield stop, stop.path.format(**ids)
