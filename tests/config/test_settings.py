"""The settings take what makes sense and refuse the rest, in words that say what to do."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environ
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

Load = Callable[..., dict[str, Any]]
SETTING = re.compile(r"^#?([A-Z_]+)=(.+)$", re.MULTILINE)
PRODUCTION = dict(SETTING.findall((settings.BASE_DIR / "config/placeholder.env").read_text()))
EXAMPLES = dict(SETTING.findall((settings.BASE_DIR / ".env.example").read_text()))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Reads the settings anew in an environment that has just these variables."""

    def load(**environment: str) -> dict[str, Any]:
        for name in list(os.environ):
            if name not in ("VAR_DIR", "PATH"):
                monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        # A new one, as it remembers the files that it has read.
        monkeypatch.setattr(environ.FileAwareEnv, "ENVIRON", FileAwareMapping())
        return runpy.run_path(str(settings.BASE_DIR / "config/settings.py"))

    return load


def test_nothing_needs_to_be_set_locally(load: Load) -> None:
    local = load()
    assert local["BASE_URL"] == "http://127.0.0.1:8000"
    assert local["STRIPE_SANDBOX"]
    assert "topups.sandbox" in local["INSTALLED_APPS"]


def test_the_secret_key_of_a_checkout_stays_and_is_private(load: Load) -> None:
    assert load()["SECRET_KEY"] == load()["SECRET_KEY"]
    assert (settings.VAR_DIR / "secret_key").stat().st_mode & 0o077 == 0


def test_an_empty_secret_key_is_made_anew(load: Load) -> None:
    path = settings.VAR_DIR / "secret_key"
    path.write_text("")
    assert load()["SECRET_KEY"] == path.read_text() != ""
    assert path.stat().st_mode & 0o077 == 0


def test_processes_that_start_together_share_one_secret_key(tmp_path: Path) -> None:
    program = "from config.settings import SECRET_KEY; print(SECRET_KEY)"
    command = [sys.executable, "-c", program]
    environment = {"VAR_DIR": str(tmp_path), "ENV_FILE": "", "PATH": os.environ["PATH"]}
    together = [
        subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    keys = {process.communicate(timeout=60)[0] for process in together}
    assert [process.returncode for process in together] == [0] * 6
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_the_port_leads_to_the_address(load: Load) -> None:
    assert load(PORT="8017")["BASE_URL"] == "http://127.0.0.1:8017"


def test_a_real_stripe_key_keeps_the_sandbox_out(load: Load) -> None:
    real = load(STRIPE_SECRET_KEY="sk_test_1", STRIPE_WEBHOOK_SECRET="whsec_1")
    assert not real["STRIPE_SANDBOX"]
    assert "topups.sandbox" not in real["INSTALLED_APPS"]
    assert real["STRIPE_API_BASE"] == "https://api.stripe.com"


def test_a_secret_can_come_from_a_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file")
    assert load(SECRET_KEY_FILE=str(tmp_path / "key"))["SECRET_KEY"] == "from-a-file"


def test_the_rest_of_a_database_address_is_kept(load: Load) -> None:
    database = load(DATABASE_URL="postgres://me:p%40ss@db:5433/credits?sslmode=require")
    [default] = database["DATABASES"].values()
    assert (default["HOST"], default["PORT"], default["NAME"]) == ("db", 5433, "credits")
    assert default["PASSWORD"] == "p@ss"
    assert default["OPTIONS"]["sslmode"] == "require"
    assert default["OPTIONS"]["pool"]["max_size"] == 16


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ENVIRONMENT", "prod", "it must be 'local' or 'production'"),
        ("PORT", "0", "it must be 1 to 65535"),
        ("PORT", "eighty", "it must be 1 to 65535"),
        ("BASE_URL", "credits.example.com", "it must be like https://host"),
        ("DEBUG", "maybe", "it must be true or false"),
        ("DATABASE_URL", "mysql://me:hunter2@db/credits", "it must be like postgres://"),
        ("DATABASE_URL", "postgres://me:hunter2@db:port/credits", "it must be like postgres://"),
        ("DATABASE_POOL_SIZE", "-1", "it must be 1 to 500"),
        ("REDIS_URL", "hunter2", "it must be like redis://"),
        ("WEEKLY_CREDITS_DEFAULT", "50.5", "it must be 0 to 1000000000"),
        ("HOLD_DEFAULT_SECONDS", "86401", "it must be 1 to 86400"),
        ("STAFF_TWO_FACTOR_REQUIRED", "maybe", "it must be true or false"),
        ("STAFF_SESSION_IDLE_MINUTES", "0", "it must be 5 to 1440"),
        ("STAFF_SESSION_MAX_HOURS", "1000", "it must be 1 to 168"),
        ("SIGN_IN_LOG_DAYS", "7", "it must be 30 to 3650"),
        ("EMAIL_URL", "gopher://me:hunter2@mail", "it must be like smtp"),
        ("EMAIL_URL", "smtp://me:hunter2@mail:port", "it must be like smtp"),
        ("STRIPE_SECRET_KEY", "sk_test_hunter2", "STRIPE_WEBHOOK_SECRET together"),
    ],
)
def test_nonsense_is_refused_by_name(load: Load, name: str, value: str, said: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        load(**{name: value})
    assert name in str(refusal.value)
    assert said in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "missing",
    [
        "SECRET_KEY",
        "BASE_URL",
        "DATABASE_URL",
        "REDIS_URL",
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "EMAIL_URL",
    ],
)
def test_production_names_what_is_missing(load: Load, missing: str) -> None:
    assert load(**PRODUCTION)["PRODUCTION"]
    with pytest.raises(ImproperlyConfigured, match=missing):
        load(**{**PRODUCTION, missing: ""})


def test_the_example_file_explains_every_variable() -> None:
    assert names_read() <= {*EXAMPLES, "SECRET_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"}


@pytest.mark.parametrize(("name", "value"), sorted(EXAMPLES.items()))
def test_each_example_value_is_accepted(load: Load, name: str, value: str) -> None:
    assert load(**{name: value})


def names_read() -> set[str]:
    """Every variable that the code asks for."""
    asked = re.compile(r'(?:env\.\w+|_integer|_boolean)\(\s*"([A-Z_]+)"')
    files = (settings.BASE_DIR / "config" / name for name in ("settings.py", "environment.py"))
    return {name for file in files for name in asked.findall(file.read_text())}


def test_staff_need_a_second_factor_in_production_unless_it_is_turned_off(load: Load) -> None:
    assert not load()["STAFF_TWO_FACTOR_REQUIRED"]
    assert load(**PRODUCTION)["STAFF_TWO_FACTOR_REQUIRED"]
    assert not load(**PRODUCTION, STAFF_TWO_FACTOR_REQUIRED="false")["STAFF_TWO_FACTOR_REQUIRED"]
