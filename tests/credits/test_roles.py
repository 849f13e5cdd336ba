"""Every screen of the admin against every role: who may open it, and who may do what it is for.

A new screen fails here until it is in the tables below. Each of them names roles by letters:

    S support   F finance   A administrators   N staff without a group

A superuser may whatever any of them may; `U` alone is for what superusers keep to themselves, and
an empty text is for what nobody may. Customers and strangers may nothing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin as django_admin
from django.contrib.admin.utils import quote
from django.db import models, transaction
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse
from django.utils import timezone

from credits import ledger, staff_keys
from credits.models import StaffKey, User
from tests.credits.test_admin_site import everything  # noqa: F401
from topups.models import MonthTotal

pytestmark = pytest.mark.django_db

ROLES = {"S": "support", "F": "finance", "A": "administrators", "N": "nobody"}
OUTSIDERS = ("customer", "stranger")


@dataclass(frozen=True)
class Rights:
    """What may be done with the rows of a model on the five screens that every model has."""

    see: str
    add: str = ""
    change: str = ""
    delete: str = ""


@dataclass(frozen=True)
class Screen:
    """Another screen: who may open it by GET, and do it by POST where that is somebody else.

    `model` is whose row its address names, "" for none, `named_by` what of the row stands there,
    and `query` what a GET must ask.
    """

    open: str
    do: str | None = None
    model: str = ""
    named_by: Callable[[Any], str] = lambda row: quote(row.pk)
    args: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)


def month_of(total: MonthTotal) -> str:
    return f"{total.month:%Y-%m}"


# --- The tables -------------------------------------------------------------------------------

MODELS = {
    "auth.group": Rights("A", add="A", change="A", delete="A"),
    "credits.action": Rights("SFA", add="A", change="A"),
    "credits.activity": Rights("SA"),
    "credits.adjustment": Rights("SFA"),
    "credits.apikey": Rights("SA", add="A", change="A"),
    "credits.bulkadjustment": Rights("SFA"),
    "credits.email": Rights("SFA"),
    "credits.entry": Rights("SFA"),
    "credits.grant": Rights("SFA"),
    "credits.invitation": Rights("SA"),
    "credits.jobrun": Rights("SFA"),
    "credits.membership": Rights("SFA", add="A", change="A", delete="A"),
    "credits.notice": Rights("SA"),
    "credits.organization": Rights("SFA", add="A", change="A"),
    "credits.refund": Rights("SFA"),
    "credits.service": Rights("SFA", add="A", change="A", delete="A"),
    "credits.signin": Rights("A"),
    "credits.spend": Rights("SFA"),
    "credits.staffkey": Rights("SFA", add="SFA"),
    "credits.user": Rights("SFA", add="A", change="A"),
    "credits.wallet": Rights("SFA"),
    "credits.wording": Rights("SFA", change="A"),
    "django_celery_beat.crontabschedule": Rights("A", add="A", change="A", delete="A"),
    "django_celery_beat.intervalschedule": Rights("A", add="A", change="A", delete="A"),
    "django_celery_beat.periodictask": Rights("A", add="A", change="A", delete="A"),
    "topups.billingaccount": Rights("SFA", add="FA", change="FA"),
    "topups.dispute": Rights("SFA"),
    "topups.monthtotal": Rights("FA"),
    "topups.paymentrefund": Rights("SFA"),
    "topups.plan": Rights("SFA", add="FA", change="FA"),
    "topups.purchase": Rights("SFA"),
    "topups.reconciliation": Rights("SFA"),
    "topups.stripeevent": Rights("SFA"),
}

SCREENS = {
    # Of one row.
    "credits_apikey_revoke": Screen("A", model="credits.apikey"),
    "credits_bulkadjustment_confirm": Screen("SA", model="credits.bulkadjustment"),
    "credits_bulkadjustment_result": Screen("SFA", model="credits.bulkadjustment"),
    "credits_email_send_again": Screen("SA", model="credits.email"),
    "credits_grant_revoke": Screen("SA", model="credits.grant"),
    "credits_notice_resend": Screen("SA", model="credits.notice"),
    "credits_organization_activity": Screen("SFA", model="credits.organization"),
    "credits_organization_adjust": Screen("SA", model="credits.organization"),
    "credits_organization_explain": Screen("SFA", model="credits.organization"),
    "credits_organization_members": Screen("SFA", do="A", model="credits.organization"),
    "credits_organization_notes": Screen("SFA", do="SA", model="credits.organization"),
    "credits_organization_purchases": Screen("SFA", model="credits.organization"),
    "credits_organization_resume": Screen("A", model="credits.organization"),
    "credits_organization_suspend": Screen("A", model="credits.organization"),
    "credits_spend_explain": Screen("SFA", model="credits.spend"),
    "credits_spend_refund": Screen("SA", model="credits.spend"),
    "credits_spend_release": Screen("SA", model="credits.spend"),
    # A key of somebody else's: everybody's own are in test_everybody_has_staff_keys_of_their_own.
    "credits_staffkey_change": Screen("A", do="", model="credits.staffkey"),
    "credits_staffkey_history": Screen("A", model="credits.staffkey"),
    "credits_staffkey_revoke": Screen("A", model="credits.staffkey"),
    "credits_user_reset_second_factor": Screen("A", model="credits.user"),
    "auth_user_password_change": Screen("A", model="credits.user"),
    # The page of its month, which answers a POST as it does a GET.
    "topups_monthtotal_change": Screen("FA", model="topups.monthtotal"),
    "topups_monthtotal_close": Screen("FA", model="topups.monthtotal", named_by=month_of),
    "topups_monthtotal_month": Screen("FA", model="topups.monthtotal", named_by=month_of),
    "topups_monthtotal_top_ups": Screen("FA", model="topups.monthtotal", named_by=month_of),
    "topups_paymentrefund_send_now": Screen("FA", model="topups.paymentrefund"),
    "topups_purchase_check_now": Screen("SFA", model="topups.purchase"),
    "topups_purchase_collect": Screen("SA", model="topups.purchase"),
    "topups_purchase_refund": Screen("FA", model="topups.purchase"),
    "topups_stripeevent_retry": Screen("FA", model="topups.stripeevent"),
    # Of a whole list.
    "credits_adjustment_adjust_from_file": Screen("SA"),
    "credits_bulkadjustment_template": Screen("SA"),
    "credits_bulkadjustment_upload": Screen("SA", do="SA"),
    "topups_monthtotal_free": Screen("FA"),
    "topups_monthtotal_summary": Screen("FA"),
    # Of the whole admin.
    "index": Screen("SFAN"),
    "app_list": Screen("SFA", args=("credits",)),
    "search": Screen("SFAN"),
    "jsi18n": Screen("SFAN"),
    "password_change": Screen("SFAN"),
    "password_change_done": Screen("SFAN"),
    "autocomplete": Screen(
        "SFA",
        query={
            "app_label": "credits",
            "model_name": "membership",
            "field_name": "organization",
        },
    ),
    # No row has a page of its own outside the admin.
    "view_on_site": Screen("", args=("1", "1")),
}

# What may be done to the selected rows of a list.
BULK = {
    "django_celery_beat.periodictask": dict.fromkeys(
        ("enable_tasks", "disable_tasks", "toggle_tasks", "run_tasks"), "A"
    ),
    "topups.stripeevent": {"retry_selected": "FA"},
}

# Which row stands for a model, where the first will not do: one that has no power of its own.
ROWS: dict[str, Callable[[], models.Model]] = {
    "credits.user": lambda: User.objects.get(email="buyer@example.com"),
}

# --- What the program has ---------------------------------------------------------------------

# The way in and out is everybody's: test_accounts.py.
PUBLIC = {"login", "logout"}
# These have no names: the old address of a change form, and what answers 404 to any other path.
UNNAMED = ("View.as_view.<locals>.view", "AdminSite.catch_all_view")


def patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern)
        else:
            yield pattern


def admin_patterns() -> list[URLPattern]:
    resolvers = (p for p in get_resolver().url_patterns if isinstance(p, URLResolver))
    return [found for one in resolvers if one.namespace == "admin" for found in patterns(one)]


def of_model(label: str, rights: Rights) -> dict[str, Screen]:
    name = label.replace(".", "_")
    return {
        f"{name}_changelist": Screen(rights.see),
        f"{name}_add": Screen(rights.add),
        f"{name}_change": Screen(rights.see, do=rights.change, model=label),
        f"{name}_history": Screen(rights.see, model=label),
        f"{name}_delete": Screen(rights.delete, model=label),
    }


# What SCREENS says of one of the five screens is an exception to its model's rights.
ALL = {
    name: screen
    for label, rights in MODELS.items()
    for name, screen in of_model(label, rights).items()
} | SCREENS


def address(name: str, screen: Screen) -> str:
    args = screen.args
    if screen.model:
        first = apps.get_model(screen.model).objects.order_by("pk").first
        row = ROWS.get(screen.model, first)()
        assert row is not None, f"{screen.model} has no row: make one in the fixture `everything`"
        args = (screen.named_by(row),)
    return reverse(f"admin:{name}", args=args)


def is_turned_away(response) -> bool:
    """Whether somebody is told no, or led away: to sign in, or to the index for want of a row."""
    led_away = response.status_code == 302 and (
        "/login/" in response.url or response.url == reverse("admin:index")
    )
    return led_away or response.status_code in (403, 404)


def may(letters: str) -> set[str]:
    """The roles that the letters allow."""
    return {ROLES[letter] for letter in letters.replace("U", "")} | (
        {"superuser"} if letters else set()
    )


@pytest.fixture
def everybody(sign_in, admin) -> dict[str, Client]:
    customer = Client()
    customer.force_login(User.objects.create_user("customer@example.com"))
    staff = {name: sign_in(name) for name in ROLES.values()}
    return {**staff, "superuser": admin, "customer": customer, "stranger": Client()}


@pytest.fixture
def stripe_is_away(settings) -> None:
    """Nothing answers where Stripe is looked for."""
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"


def who(everybody: dict[str, Client], ask: Callable[[Client], object]) -> set[str]:
    """Those who are not turned away; whatever they did is undone."""
    found = set()
    for name, client in everybody.items():
        with transaction.atomic():
            if not is_turned_away(ask(client)):
                found.add(name)
            transaction.set_rollback(True)
    return found


def test_every_screen_is_in_the_tables() -> None:
    named = {pattern.name for pattern in admin_patterns() if pattern.name}
    assert named - PUBLIC - set(ALL) == set(), "new screens: add them to SCREENS or MODELS"
    assert set(ALL) - named == set(), "these screens are gone"
    unnamed = {p.callback.__qualname__ for p in admin_patterns() if not p.name}
    assert unnamed == set(UNNAMED)


@pytest.mark.usefixtures("everything", "stripe_is_away")
@pytest.mark.parametrize("name", sorted(ALL))
def test_each_role_opens_and_does_what_it_should(everybody, name) -> None:
    screen = ALL[name]
    url = address(name, screen)
    assert who(everybody, lambda client: client.get(url, screen.query)) == may(screen.open)
    if not name.endswith(("_changelist", "_history")) and name not in SITE_PAGES:
        do = screen.open if screen.do is None else screen.do
        assert who(everybody, lambda client: client.post(url)) == may(do)


# Pages of no row that change nothing, or only what is one's own: those that do say who does it.
SITE_PAGES = {name for name, screen in SCREENS.items() if not screen.model and screen.do is None}


@pytest.mark.parametrize("label", sorted(MODELS))
def test_each_role_does_to_many_rows_what_it_should(everybody, label) -> None:
    model_admin = django_admin.site._registry[apps.get_model(label)]
    found: dict[str, set[str]] = {}
    for name, client in everybody.items():
        if name not in OUTSIDERS:
            request = RequestFactory().get("/")
            request.user = client.user
            for action in model_admin.get_actions(request):
                found.setdefault(action, set()).add(name)
    assert found == {name: may(letters) for name, letters in BULK.get(label, {}).items()}


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("role", ["support", "finance", "administrators"])
def test_everybody_has_staff_keys_of_their_own(sign_in, role) -> None:
    client, now = sign_in(role), timezone.now()
    ends_at = now + timedelta(days=1)
    key, _ = staff_keys.create_key(client.user, name="Mine", expires_at=ends_at, now=now)
    of_mine = {name: f"/admin/credits/staffkey/{key.pk}/{name}/" for name in ("change", "revoke")}
    assert "Mine" in client.get(of_mine["change"]).text
    assert of_mine["revoke"] in client.get(of_mine["change"]).text
    shown = set(client.get("/admin/credits/staffkey/").context["cl"].result_list)
    assert shown == (set(StaffKey.objects.all()) if role == "administrators" else {key})
    client.post(of_mine["revoke"])
    key.refresh_from_db()
    assert key.revoked_at


# The tabs of an organization and what of its rows and itself is changed or explained from there.
LINKS = {
    "support": {
        "change/": {"organization_adjust", "organization_explain", "grant_revoke"},
        "activity/": {"organization_adjust", "organization_explain", "spend_explain"}
        | {"spend_refund", "spend_release"},
        "activity/?list=entries": {"organization_adjust", "organization_explain"}
        | {"spend_explain", "grant_revoke"},
        "purchases/": {"organization_adjust", "organization_explain"},
    },
    "finance": {
        "change/": {"organization_explain"},
        "activity/": {"organization_explain", "spend_explain"},
        "activity/?list=entries": {"organization_explain", "spend_explain"},
        "purchases/": {"organization_explain", "topups_purchase_refund"},
    },
}
DOING = re.compile("_(adjust|explain|refund|release|resume|revoke|suspend)$")


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("role", LINKS)
def test_the_tabs_of_an_organization_offer_what_a_role_may_do(sign_in, organization, role) -> None:
    now = timezone.now()
    ledger.spend(organization, "alt-text.generate", quantity=1, now=now)
    ledger.hold(organization, "alt-text.generate", quantity=1, now=now)
    client = sign_in(role)
    for tab, offered in LINKS[role].items():
        page = client.get(f"/admin/credits/organization/{organization.pk}/{tab}").text
        links = set(re.findall(r'href="(/admin/[^"?#]*)', page))
        refused = {link for link in links if is_turned_away(client.get(link))}
        assert refused == set()
        names = {resolve(link).url_name.removeprefix("credits_") for link in links}
        assert {name for name in names if DOING.search(name)} == offered
