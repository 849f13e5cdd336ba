"""What a load balancer asks: is the process alive, and can it do its work now?"""

import functools

import psycopg
import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

TIMEOUT_SECONDS = 2
OK = "ok"


@csrf_exempt
@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers at all."""
    return JsonResponse({"status": "alive"})


@csrf_exempt
@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """200 when database, migrations and broker are all in order, or else 503; names each."""
    checks = {**_database_and_migrations(), "broker": _broker()}
    is_ready = all(state == OK for state in checks.values())
    return JsonResponse(
        {"status": "ready" if is_ready else "not ready", "checks": checks},
        status=200 if is_ready else 503,
    )


def _database_and_migrations() -> dict[str, str]:
    # Not through the pool, which waits for longer than anybody who asks for our health.
    address = {**connection.get_connection_params(), "connect_timeout": TIMEOUT_SECONDS}
    try:
        with psycopg.connect(**address) as direct:
            rows = direct.execute("SELECT app, name FROM django_migrations").fetchall()
    except psycopg.errors.UndefinedTable:
        rows = []
    except psycopg.Error:
        return {"database": "unreachable", "migrations": "unknown"}
    missing = _migrations_of_the_program() - set(rows)
    return {"database": OK, "migrations": f"{len(missing)} not applied" if missing else OK}


@functools.cache
def _migrations_of_the_program() -> set[tuple[str, str]]:
    return set(MigrationLoader(None).graph.nodes)


def _broker() -> str:
    with redis.Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
    ) as client:
        try:
            client.ping()
        except redis.RedisError:
            return "unreachable"
    return OK
