"""Plumbing of the whole suite: real servers of its own, settings of its own."""

import atexit
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import django
import hypothesis
import pytest
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import Client

from config import embedded
from config.processes import AlreadyClaimed, claim, stop_leftovers

TEMPORARY = "credits-tests-"
# What a developer has set for other purposes; the tests must not talk to the real Stripe.
FOREIGN = ("ENVIRONMENT", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "EMAIL_URL", "BASE_URL")

_teardown = contextlib.ExitStack()
atexit.register(_teardown.close)

hypothesis.settings.register_profile("default", max_examples=200, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=500, deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


def _prepare_environment() -> None:
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ["ENV_FILE"] = ""
    # As many real connections at once as the concurrency tests have threads, and some to spare.
    os.environ["DATABASE_POOL_SIZE"] = "64"


@contextlib.contextmanager
def _servers() -> Iterator[None]:
    """Run the servers that DATABASE_URL and REDIS_URL do not name, in a temporary folder."""
    wanted = {name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for leftover in Path(_temporary_root()).glob(f"{TEMPORARY}*"):
        _remove_leftover(leftover)
    home = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=_temporary_root()))
    home.chmod(0o711)
    os.environ["VAR_DIR"] = str(home)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        processes = stack.enter_context(claim(home, "pytest"))
        options = embedded.FORGETFUL
        os.environ.update(embedded.start(processes, home, wanted, options=options))
        yield


def _temporary_root() -> str:
    # Root's PostgreSQL runs as another user, who can enter /tmp wherever TMPDIR points.
    return "/tmp" if os.geteuid() == 0 else tempfile.gettempdir()


def _remove_leftover(home: Path) -> None:
    """Stop the servers of a killed test run and remove its folder; leave a living one alone."""
    with contextlib.suppress(AlreadyClaimed, FileNotFoundError):
        if home.stat().st_uid == os.geteuid():
            with claim(home, "pytest"):
                for record in home.glob("*/processes.json"):
                    stop_leftovers(record)
                shutil.rmtree(home)


def _choose_valkey_database() -> None:
    """Each xdist worker has a database of its own, numbered after it."""
    address = urlsplit(os.environ["REDIS_URL"])
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.environ["REDIS_URL"] = urlunsplit(address._replace(path=f"/{number}"))


def _set_up() -> None:
    """Bring up the servers in the main process, then load the settings that point to them."""
    if settings.configured:
        raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE: the tests choose the settings.")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _prepare_environment()
        _teardown.enter_context(_servers())
    _choose_valkey_database()
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    # Gone again, so that each xdist worker too loads the settings after its own preparations.
    del os.environ["DJANGO_SETTINGS_MODULE"]


# At import, and not in a hook, as the conftests of folders import models before any hook runs.
_set_up()


@pytest.fixture
def sign_in(db: None, settings) -> Callable[..., Client]:
    """Signs a new member of staff in to the admin, of a group if one has the name given.

    `client.user` is who it is. They stay signed in when a test moves the clock by weeks.
    """
    settings.STAFF_SESSION_IDLE_MINUTES = settings.STAFF_SESSION_MAX_HOURS = 10_000_000
    from django.contrib.auth.models import Group

    from credits.models import User

    def sign_in(name: str, **fields: bool) -> Client:
        user = User.objects.create_user(f"{name}@credits.test", is_staff=True, **fields)
        user.groups.set(Group.objects.filter(name=name))
        client = Client()
        client.force_login(user)
        client.user = user
        return client

    return sign_in


@pytest.fixture
def admin(sign_in: Callable[..., Client]) -> Client:
    """A superuser in the admin."""
    return sign_in("superuser", is_superuser=True)


@pytest.fixture
def committed_db(django_db_serialized_rollback: None, transactional_db: None) -> None:
    """A database whose commits are real, for threads and servers, with the migrations' rows."""


@pytest.fixture
def site(committed_db: None, live_server, settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the whole program served over HTTP, its sandbox included; workers are down."""
    # WhiteNoise serves the static files, as everywhere else, and not Django's server for tests.
    monkeypatch.setattr(StaticFilesHandler, "_should_handle", lambda handler, path: False)
    settings.BASE_URL = live_server.url
    settings.CSRF_TRUSTED_ORIGINS = [live_server.url]
    settings.STRIPE_API_BASE = f"{live_server.url}/sandbox"
    return live_server.url


@pytest.fixture
def worker(settings) -> None:
    """A worker that does each task at once."""
    settings.CELERY_TASK_ALWAYS_EAGER = True
