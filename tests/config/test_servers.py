"""The servers that the suite brings along."""

import pytest
from django.core.cache import cache
from django.db import connection


@pytest.mark.django_db
def test_the_suite_runs_on_postgresql_18_and_valkey() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        assert cursor.fetchone()[0].startswith("18.")
    cache.set("a", 1)
    assert cache.get("a") == 1
