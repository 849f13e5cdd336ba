import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from django.core.cache import cache
from django.utils import timezone

from credits.access import create_key
from credits.api.denials import Denials
from credits.api.fast_batches import FastBatches
from credits.api.fast_path import FastPath
from credits.api.fast_spends import FastSpends
from credits.models import Organization, Service, User
from tests.credits.browsing import SHOP
from tests.credits.fast_world import Django, World, asking, asking_all, send
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


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """For applications that are asked one request after the other."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def django(committed_db: None, loop: asyncio.AbstractEventLoop) -> Django:
    cache.clear()
    return Django()


@pytest.fixture
def fast(django: Django, loop: asyncio.AbstractEventLoop) -> Iterator[FastPath]:
    """The fast path, which has learned from its first answers what is around each."""
    denials = Denials()
    application = FastPath([FastSpends(denials), FastBatches(denials)], otherwise=django)
    send(application, World(), asking())
    send(application, World(), asking_all({"action": "alt-text.generate"}))
    django.asked = 0
    yield application
    loop.run_until_complete(application.close())
