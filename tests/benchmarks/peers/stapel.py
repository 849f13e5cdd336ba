"""stapel-billing: `services.debit`, and the endpoint for other services that calls it."""

import os
from typing import Any

from tests.benchmarks.peers import django_host

SERVICE_KEY = os.environ.get("STAPEL_SERVICE_KEY", "peers")

django_host.configure(
    "rest_framework",
    "stapel_core.django.apps.CommonDjangoConfig",
    "stapel_core.django.users",
    "stapel_billing",
    AUTH_USER_MODEL="users.User",
    ROOT_URLCONF=__name__,
    # What the endpoint itself needs; the full list of the framework would cost it more.
    MIDDLEWARE=["stapel_core.django.jwt.middleware.ServiceAPIKeyMiddleware"],
    SERVICE_API_KEY=SERVICE_KEY,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "stapel_core.django.jwt.authentication.JWTCookieAuthentication"
        ],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "EXCEPTION_HANDLER": "stapel_core.django.api.errors.stapel_exception_handler",
    },
    # No rows of releases before 0.11 here, whose keys would be looked for in JSON.
    STAPEL_BILLING={"LEGACY_IDEMPOTENCY_JSON_LOOKUP": False},
)

from django.contrib.auth import get_user_model
from django.core.wsgi import get_wsgi_application
from django.db.models import Sum
from django.urls import include, path
from stapel_billing import services
from stapel_billing.models import CreditLot, LotSource, Transaction, TransactionType, Wallet

PLENTY = 1_000_000
User = get_user_model()
urlpatterns = [path("billing/api/v1/", include("stapel_billing.urls_v1"))]
application = get_wsgi_application()


def set_up(count: int) -> None:
    django_host.migrate()
    users = [User(username=f"user{n}", email=f"user{n}@example.com") for n in range(count)]
    User.objects.bulk_create(users, batch_size=1_000)
    owned = [Wallet(user=user, balance=PLENTY) for user in users]
    Wallet.objects.bulk_create(owned, batch_size=1_000)
    CreditLot.objects.bulk_create([_lot(wallet) for wallet in owned], batch_size=1_000)


def _lot(wallet: Wallet) -> CreditLot:
    return CreditLot(
        wallet=wallet, source=LotSource.GRANT, credits_initial=PLENTY, credits_remaining=PLENTY
    )


def wallets(count: int) -> list[Any]:
    return list(User.objects.order_by("pk")[:count])


def spend(user: Any, key: str) -> None:
    services.debit(user=user, credits=1, type=TransactionType.AI_CHARGE, idempotency_key=key)


def spent() -> int:
    charges = Transaction.objects.filter(type=TransactionType.AI_CHARGE)
    return -int(charges.aggregate(total=Sum("credits_delta"))["total"] or 0)


def request(count: int) -> dict[str, Any]:
    body = '{"user_id": "{wallet}", "credits": 1, "type": "%s", "idempotency_key": "{key}"}'
    return {
        "path": "/billing/api/v1/internal/debit",
        "headers": {"X-API-Key": SERVICE_KEY},
        "body": body % TransactionType.AI_CHARGE,
        "wallets": [str(user.pk) for user in wallets(count)],
    }
