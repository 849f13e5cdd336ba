"""How long to wait before trying again."""

from datetime import timedelta

MAX_RETRY_AFTER = timedelta(hours=6)


def retry_after(attempts: int, *, first: timedelta) -> timedelta:
    """Twice as long after each failed attempt: `first`, then up to `MAX_RETRY_AFTER`."""
    doublings = min(attempts - 1, 20)
    return min(first * (1 << doublings), MAX_RETRY_AFTER)
