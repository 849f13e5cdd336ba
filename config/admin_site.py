"""How the admin looks and what its sidebar leads to (django-unfold's `UNFOLD` setting)."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

SIDEBAR = {
    "Customers": {
        "credits.organization": ("Organizations", "apartment"),
        "credits.activity": ("Activity", "history"),
        "credits.notice": ("Notices", "notifications"),
        "credits.email": ("Emails", "mail"),
    },
    "Ledger": {
        "credits.entry": ("Entries", "receipt_long"),
        "credits.spend": ("Spends", "shopping_cart_checkout"),
        "credits.refund": ("Refunds", "undo"),
        "credits.grant": ("Grants", "redeem"),
        "credits.adjustment": ("Adjustments", "exposure"),
        "credits.bulkadjustment": ("Bulk adjustments", "upload_file"),
        "credits.wallet": ("Wallets", "account_balance_wallet"),
        "credits.jobrun": ("Refills and checks", "event_available"),
    },
    "Catalog": {
        "credits.service": ("Services", "auto_awesome"),
        "credits.action": ("Actions and prices", "sell"),
        "credits.wording": ("Wording", "chat"),
    },
    "Top-ups": {
        "topups.plan": ("Plans", "inventory_2"),
        "topups.purchase": ("Purchases", "shopping_bag"),
        "topups.paymentrefund": ("Payment refunds", "currency_exchange"),
        "topups.dispute": ("Disputes", "gavel"),
        "topups.billingaccount": ("Billing accounts", "credit_card"),
    },
    "Finance": {
        "topups.monthtotal": ("Months", "account_balance"),
    },
    "Stripe": {
        "topups.stripeevent": ("Events", "webhook"),
        "topups.reconciliation": ("Reconciliations", "fact_check"),
    },
    "Access": {
        "credits.apikey": ("API keys", "key"),
        "credits.staffkey": ("Staff keys", "vpn_key"),
        "credits.user": ("Users", "person"),
        "credits.membership": ("Memberships", "badge"),
        "credits.invitation": ("Invitations", "person_add"),
        "credits.signin": ("Sign-ins", "login"),
        "auth.group": ("Staff groups", "groups"),
    },
    "Schedule": {
        "django_celery_beat.periodictask": ("Periodic tasks", "schedule"),
        "django_celery_beat.crontabschedule": ("Crontabs", "calendar_month"),
        "django_celery_beat.intervalschedule": ("Intervals", "timer"),
    },
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The way to the dashboard, and the groups of lists that the user may see."""
    groups = (
        {"title": title, "items": _items(request, models)} for title, models in SIDEBAR.items()
    )
    return [_first_page(), *(group for group in groups if group["items"]), *_sandbox()]


def _first_page() -> dict[str, Any]:
    first = {"title": "Dashboard", "icon": "dashboard", "link": reverse_lazy("admin:index")}
    return {"items": [first]}


def _sandbox() -> list[dict[str, Any]]:
    """The way to where staff play the banks, while the sandbox stands in for Stripe."""
    if not settings.STRIPE_SANDBOX:
        return []
    control = {"title": "Play the bank", "icon": "science", "link": reverse_lazy("sandbox-control")}
    return [{"title": "Sandbox", "items": [control]}]


def _items(request: HttpRequest, models: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    items = []
    for label, (title, icon) in models.items():
        app, model = label.split(".")
        if request.user.has_perm(f"{app}.view_{model}"):
            address = reverse_lazy(f"admin:{app}_{model}_changelist")
            items.append({"title": title, "icon": icon, "link": address})
    return items


def environment(request: HttpRequest) -> tuple[str, str] | None:
    """The badge on every page while the sandbox stands in for Stripe."""
    return ("Stripe sandbox", "warning") if settings.STRIPE_SANDBOX else None


def _icon(request: HttpRequest) -> str:
    return static("credits/favicon.svg")


def _stylesheet(request: HttpRequest) -> str:
    return static("credits/admin.css")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Credits",
    "SITE_HEADER": "Credits",
    "SITE_ICON": _icon,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
    "ENVIRONMENT": environment,
    "SIDEBAR": {"navigation": navigation},
    "DASHBOARD_CALLBACK": "credits.admin.dashboard.context",
    "STYLES": [_stylesheet],
    # Tailwind's indigo, the accent of the customers' pages. In the dark, links take 500: it is a
    # step lighter here, so that they can be read.
    "COLORS": {
        "primary": {
            "50": "oklch(96.2% .018 272.314)",
            "100": "oklch(93% .034 272.788)",
            "200": "oklch(87% .065 274.039)",
            "300": "oklch(78.5% .115 274.713)",
            "400": "oklch(72.9% .149 275.825)",
            "500": "oklch(67.3% .182 276.935)",
            "600": "oklch(51.1% .262 276.966)",
            "700": "oklch(45.7% .24 277.023)",
            "800": "oklch(39.8% .195 277.366)",
            "900": "oklch(35.9% .144 278.697)",
            "950": "oklch(25.7% .09 281.288)",
        }
    },
}
