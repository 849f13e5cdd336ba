"""Imports run one way, edges to verbs to models; these tests read them and name one that does not.

A module that is not named here counts as an edge, so that a new one is placed on purpose.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

ROOT: Path = settings.BASE_DIR
APPS = ("config", "credits", "topups")
VERBS = (
    "credits.access",
    "credits.activity",
    "credits.adjustments",
    "credits.balance_history",
    "credits.figures",
    "credits.jobs",
    "credits.key_secrets",
    "credits.ledger",
    "credits.mail",
    "credits.movements",
    "credits.notices",
    "credits.people",
    "credits.reports",
    "credits.second_factors",
    "credits.sign_ins",
    "credits.staff_keys",
    "credits.tokens",
    "credits.totals",
    "topups.accounting",
    "topups.billing",
    "topups.checkout",
    "topups.closing",
    "topups.events",
    "topups.figures",
    "topups.finance",
    "topups.fulfillment",
    "topups.money_back",
    "topups.month_totals",
    "topups.notifications",
    "topups.reconciliation",
    "topups.refunds",
    "topups.reversals",
    "topups.top_up_months",
)
MODELS = ("credits.models", "topups.models")
# What anybody may use: outside services and small facts.
HELPERS = (
    "config",
    "credits.counting",
    "credits.moments",
    "credits.origins",
    "credits.retries",
    "credits.spreadsheets",
    "credits.wording",
    "topups.gateway",
    "topups.money",
)
FRAMEWORK_EDGES = (
    "celery",
    "django.contrib.admin",
    "django.http",
    "django.views",
    "rest_framework",
)
READERS_OF_THE_ENVIRONMENT = {
    "config.celery",
    "config.embedded",
    "config.environment",
    "config.run",
    "config.settings",
    "config.asgi",
    "config.gunicorn",
    "config.wsgi",
}


def sources() -> dict[str, ast.Module]:
    """The program's modules by dotted name; tests, migrations and manage.py are not part of it."""
    found = {}
    for path in sorted(path for app in APPS for path in (ROOT / app).rglob("*.py")):
        if "migrations" not in path.parts:
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


SOURCES = sources()


def imports(name: str) -> Iterator[str]:
    """Dotted names of all that a module imports, wherever in it the import stands."""
    for node in ast.walk(SOURCES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: relative imports hide which way they run"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


EDGES = tuple(
    name for name in SOURCES if name not in APPS and not within(name, VERBS + MODELS + HELPERS)
)


def running_back(importers: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{name} imports {imported}"
        for name in SOURCES
        if within(name, importers)
        for imported in imports(name)
        if within(imported, forbidden)
    ]


def test_credits_never_imports_topups() -> None:
    assert running_back(("credits",), ("topups",)) == []


def test_verbs_know_no_request_no_rest_framework_and_no_celery() -> None:
    assert running_back(VERBS, EDGES + FRAMEWORK_EDGES) == []


def test_models_never_import_verbs_or_edges() -> None:
    assert running_back(MODELS, VERBS + EDGES + FRAMEWORK_EDGES) == []


def test_only_the_gateway_imports_stripe() -> None:
    gateway = ("topups.gateway",)
    others = tuple(name for name in SOURCES if name not in APPS and not within(name, gateway))
    assert running_back(others, ("stripe",)) == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        name
        for name, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    assert readers <= READERS_OF_THE_ENVIRONMENT


def test_the_rooms_named_here_exist() -> None:
    assert set(VERBS + MODELS + HELPERS) <= set(SOURCES)
