"""Who waits for whose lock."""

import time

import pytest
from django.db import connection

WAIT_SECONDS = 30


def wait_for_who_waits_for_a_lock() -> int:
    """The process id, at the server, of whoever waits for a lock of ours."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_locks "
                "WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            )
            if row := cursor.fetchone():
                return row[0]
        time.sleep(0.05)
    pytest.fail("Nobody ever came to what is locked.")
