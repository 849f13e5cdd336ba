"""How many requests one API key, one staff key or one browser token may make."""

from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from credits.access import Access
from credits.models import StaffKey

WINDOW_SECONDS = 60


class ApiKeyThrottle(BaseThrottle):
    """Counts each caller's requests by the minute, and lets all pass while the cache is down.

    A token is counted by itself, so that no page can use up what the server with its key needs.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, Access | StaffKey):
            return True
        try:
            count = _count(counter(_caller(request.auth), timezone.now()))
        except RedisError:
            return True
        return count <= settings.API_REQUESTS_PER_MINUTE

    def wait(self) -> float:
        return WINDOW_SECONDS - timezone.now().timestamp() % WINDOW_SECONDS


def counter(caller: str, now: datetime) -> str:
    """The name, in the cache, of what counts a caller's requests in the minute of `now`."""
    return f"api:{caller}:{int(now.timestamp()) // WINDOW_SECONDS}"


def _caller(auth: Access | StaffKey) -> str:
    if isinstance(auth, StaffKey):
        return f"staff-{auth.pk}"
    return str(auth.token.id if auth.token else auth.key.pk)


def _count(key: str) -> int:
    try:
        return cache.incr(key)
    except ValueError:
        cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
        return cache.incr(key)
