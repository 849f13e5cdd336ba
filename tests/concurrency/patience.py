"""Groups of spends that wait for a lock as long as a test needs."""

import contextlib
from collections.abc import Iterator

from django.db import connection


@contextlib.contextmanager
def patient_groups() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('ledger_spend_group'::regproc)")
        (released,) = cursor.fetchone()
        patient = released.replace("'lock_timeout', p_lock_timeout", "'lock_timeout', '1h'")
        assert patient != released
        cursor.execute(patient)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(released)
