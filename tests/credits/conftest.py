from collections.abc import Callable
from datetime import datetime

import pytest
from django.utils import timezone

from credits.access import create_key
from credits.models import Organization, Service, User
from tests.credits.browsing import SHOP
from tests.credits.support import Api


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
def server(organization: Organization) -> Api:
    """A customer's server, whose key lets pages of its shop use browser tokens."""
    return Api(create_key(name="Shop", organization=organization, allowed_origins=[SHOP])[1])


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Moves the time that the edges read."""

    def set_clock(now: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: now)

    return set_clock
