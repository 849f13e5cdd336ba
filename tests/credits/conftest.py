from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import timezone

from credits.access import create_key
from credits.models import Organization, Service, User

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


class Api:
    """An extension: it calls the API over HTTP with its key."""

    def __init__(self, secret: str) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {secret}"}

    def get(self, path: str, **query: str):
        return self.client.get(f"/api/v1/{path}", query, headers=self.headers)

    def post(self, path: str, body: object = None, key: str | None = None, **headers: str):
        sent = {**self.headers, **headers}
        if key is not None:
            sent["Idempotency-Key"] = key
        return self.client.post(
            f"/api/v1/{path}",
            {} if body is None else body,
            content_type="application/json",
            headers=sent,
        )

    def spend(self, action: str = "alt-text.generate", *, key: str | None = None, **fields):
        return self.post("spends", {"action": action, **fields}, key)


@pytest.fixture
def organization(db: None) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=50)


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_user("staff@example.com", is_staff=True)


@pytest.fixture
def api(organization: Organization) -> Api:
    return Api(create_key(name="Test", organization=organization)[1])


@pytest.fixture
def service_api(db: None) -> Api:
    service = Service.objects.get(name="Background removal")
    return Api(create_key(name="Test", service=service)[1])


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Moves the time that the edges read."""

    def set_clock(now: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: now)

    return set_clock
