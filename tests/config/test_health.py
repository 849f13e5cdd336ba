"""`/health/` and `/health/ready/`: cheap to ask, and true."""

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

NOWHERE = "127.0.0.1:1"


def test_alive_needs_no_database(client: Client) -> None:
    # Without the `db` fixture any use of the database fails this test.
    assert client.get("/health/").json() == {"status": "alive"}


@pytest.mark.django_db
def test_ready_when_everything_is_in_order(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):  # the pool is left to those who work
        response = client.get("/health/ready/")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "checks": {"database": "ok", "migrations": "ok", "broker": "ok"},
    }


@pytest.mark.django_db
def test_not_ready_without_the_broker(client: Client, settings: Settings) -> None:
    settings.CELERY_BROKER_URL = f"redis://{NOWHERE}/0"
    response = client.get("/health/ready/")
    assert response.status_code == 503
    assert response.json()["checks"] == {
        "database": "ok",
        "migrations": "ok",
        "broker": "unreachable",
    }


def test_not_ready_without_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    response = client.get("/health/ready/")
    assert response.status_code == 503
    assert response.json()["checks"] == {
        "database": "unreachable",
        "migrations": "unknown",
        "broker": "ok",
    }


@pytest.mark.usefixtures("committed_db")
def test_not_ready_while_a_migration_is_missing(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM django_migrations")
        [newest] = cursor.fetchone() or [None]
        cursor.execute("UPDATE django_migrations SET name = name || '?' WHERE id = %s", [newest])
    try:
        response = client.get("/health/ready/")
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE django_migrations SET name = rtrim(name, '?') WHERE id = %s", [newest]
            )
    assert response.status_code == 503
    assert response.json()["checks"]["migrations"] == "1 not applied"


def test_only_reading_is_allowed() -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/health/").status_code == 405
    assert client.post("/health/ready/").status_code == 405
