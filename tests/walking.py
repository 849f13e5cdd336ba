"""Every page of the customers, for tests that walk them all."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import codes
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.test import Client
from django.utils import timezone

from credits import ledger, notices, people
from credits.access import create_key
from credits.models import Membership, NoticeKind, Organization, User
from topups import checkout
from topups.models import Price, Purchase
from topups.sandbox import bank, refunds, sessions
from topups.sandbox.models import Session

PASSWORD = "a-calm-harbor-7"


@dataclass(frozen=True)
class Stop:
    """A page of the walk. `path` may name what `furnish` returns, as in `/keys/{key}/revoke/`.

    `visitor` is who looks: an `owner` who may see the balance, a `poor` one who may not and whose
    credits are gone, a `loner` without an organization, a `guarded` one with a second factor,
    `staff`, or `nobody`.
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
    Stop("walk-invitation", "/invitations/{invitation}/", "nobody"),
    Stop("walk-invitation-sign-in", "/invitations/{known}/", "nobody"),
    Stop("walk-invitation-accept", "/invitations/{known}/", "loner"),
    Stop("walk-invitation-withdrawn", "/invitations/{withdrawn}/", "nobody", 410),
    Stop("walk-unsubscribe", "{unsubscribe}", "nobody"),
    Stop("walk-problem", "/problems/out-of-credits/", "nobody"),
    Stop("walk-docs", "/docs/", "nobody"),
    Stop("walk-api-guide", "/docs/api/", "nobody"),
    Stop("walk-javascript-guide", "/docs/javascript/", "nobody"),
    Stop("walk-python-guide", "/docs/python/", "nobody"),
    Stop("walk-not-found", "/nothing/", "nobody", 404),
    Stop("walk-not-allowed", "/keys/", "loner", 403),
    Stop("walk-somebody-elses-invitation", "/invitations/{invitation}/", "loner", 403),
    Stop("walk-no-organization", "/", "loner"),
    Stop("walk-nothing-bought", "/purchases/", "loner"),
    Stop("walk-overview", "/"),
    Stop("walk-spends", "/spends/"),
    Stop("walk-which-days", "/usage.csv", status=400),
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
    Stop("walk-change-key", "/keys/{key}/"),
    Stop("walk-rotate-key", "/keys/{key}/rotate/"),
    Stop("walk-revoke-key", "/keys/{key}/revoke/"),
    Stop("walk-members", "/members/"),
    Stop("walk-remove-member", "/members/{member}/remove/"),
    Stop("walk-activity", "/activity/"),
    Stop("walk-notices", "/notices/"),
    Stop("walk-unsubscribe-broken-link", "/notices/unsubscribe/x/", "nobody", 404),
    Stop("walk-playground", "/playground/"),
    Stop("walk-playground-without-organization", "/playground/", "loner"),
    Stop("walk-change-password", "/accounts/password/change/"),
    Stop("walk-two-factor", "/accounts/2fa/"),
    Stop("walk-set-up-two-factor", "/accounts/2fa/totp/activate/"),
    Stop("walk-two-factor-on", "/accounts/2fa/", "guarded"),
    Stop("walk-turn-two-factor-off", "/accounts/2fa/totp/deactivate/", "guarded"),
    Stop("walk-recovery-codes", "/accounts/2fa/recovery-codes/", "guarded"),
    Stop("walk-new-recovery-codes", "/accounts/2fa/recovery-codes/generate/", "guarded"),
    Stop("walk-second-factor", "/accounts/2fa/reauthenticate/", "guarded"),
    Stop("walk-not-staff", "/admin/login/", status=403),
    Stop("walk-confirm-password", "/accounts/reauthenticate/"),
    Stop("walk-sign-out", "/accounts/logout/"),
    Stop("walk-hidden-overview", "/", "poor"),
    Stop("walk-hidden-top-up", "/top-up/", "poor"),
    Stop("walk-hidden-notices", "/notices/", "poor"),
    Stop("walk-sandbox-pay", "/sandbox/pay/{pending}/"),
    Stop("walk-sandbox-control", "/sandbox/", "staff"),
)


def furnish(name: str = "Fern & Field", other: str = "Zebra Lane") -> dict[str, str]:
    """Two organizations in whose rooms something is to be seen; ids for the paths of the walk."""
    organization = Organization.objects.create(name=name, show_balance=True)
    poor = Organization.objects.create(name=other, weekly_credits=0)
    owner, poor_owner, member = (
        User.objects.create_user(f"{name}@example.com", PASSWORD)
        for name in ("owner", "poor", "member")
    )
    for owned, user in ((organization, owner), (poor, owner), (poor, poor_owner)):
        Membership.objects.create(organization=owned, user=user, role=Membership.Role.OWNER)
    User.objects.create_user("loner@example.com")
    codes.set_up(User.objects.create_user("guarded@example.com"))
    User.objects.create_superuser("staff@example.com")
    _use(organization, poor, owner)
    key, _ = create_key(name="CMS", organization=organization)
    reset = f"{user_pk_to_url_str(owner)}-{default_token_generator.make_token(owner)}"
    return {
        "key": str(key.pk),
        "reset": reset,
        "unsubscribe": notices.unsubscribe_path(owner, organization, NoticeKind.LOW),
        **_invited(organization, owner, member),
        **_bought(organization, owner),
    }


def _use(organization: Organization, poor: Organization, owner: User) -> None:
    """Use some credits on some days, and all that there are of another organization's."""
    now = timezone.now()
    notices.set_threshold(organization, 10_000, actor=owner, now=now)
    for days, quantity in ((9, 3), (8, 7), (1, 12), (0, 5)):
        at = now - timedelta(days=days)
        ledger.spend(organization, "alt-text.generate", quantity=quantity, now=at)
    with suppress(ledger.OutOfCredits):
        ledger.spend(poor, "alt-text.generate", now=now)


def _invited(organization: Organization, owner: User, member: User) -> dict[str, str]:
    now = timezone.now()
    joined = people.add_member(organization, member, "member", by=owner, now=now)
    invited = {
        name: people.invite(organization, f"{address}@example.com", "member", by=owner, now=now)
        for name, address in (("invitation", "new"), ("known", "loner"), ("withdrawn", "gone"))
    }
    people.withdraw(invited["withdrawn"], by=owner, now=now)
    tokens = {name: people.token(invitation.pk) for name, invitation in invited.items()}
    return {"member": str(joined.pk), **tokens}


def _bought(organization: Organization, owner: User) -> dict[str, str]:
    """The session ids of purchases that went every way they can go."""
    now = timezone.now()
    ids = {}
    for name in ("paid", "refunded", "failed", "expired", "processing"):
        ids[name] = str(_begun(organization, owner, 2_000).stripe_session_id)
        if name in ("paid", "refunded"):
            sessions.pay(ids[name], "4242424242424242", now=now)
        elif name == "expired":
            sessions.expire(ids[name], now=now)
        else:
            sessions.pay_by_bank(ids[name], now=now)
    payments = {name: Session.objects.get(pk=ids[name]).payment_id for name in ids}
    refunds.create(payments["refunded"], 4_00, now=now)
    bank.refuse(payments["failed"], now=now)
    pending = _begun(organization, owner, 500)
    ids |= {"pending": str(pending.stripe_session_id), "pending_purchase": str(pending.pk)}
    return ids


def _begun(organization: Organization, owner: User, credits: int) -> Purchase:
    price = Price.objects.select_related("plan").get(plan__credits=credits)
    checkout.start(price, organization, owner, now=timezone.now())
    return Purchase.objects.latest("created_at")


def clients() -> dict[str, Client]:
    """Everybody who walks, signed in."""
    visitors = {"nobody": Client()}
    for name in ("owner", "poor", "loner", "guarded", "staff"):
        visitors[name] = Client()
        visitors[name].force_login(User.objects.get(email=f"{name}@example.com"))
    codes.show(visitors["guarded"], User.objects.get(email="guarded@example.com"))
    return visitors


def cookies_of(visitor: Client) -> list[dict[str, str]]:
    """With these a browser walks as `visitor`."""
    return [
        {"name": name, "value": morsel.value, "domain": "localhost", "path": "/"}
        for name, morsel in visitor.cookies.items()
    ]


def stops(ids: dict[str, str]) -> Iterator[tuple[Stop, str]]:
    """Each page with its address."""
    for stop in WALK:
        yield stop, stop.path.format(**ids)
