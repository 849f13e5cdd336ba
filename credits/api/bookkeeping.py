"""What is written down of requests that the fast path answered, beside and after their answers."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone
from redis.asyncio import Redis
from redis.exceptions import RedisError

from credits import key_secrets
from credits.api.throttling import WINDOW_SECONDS, counter
from credits.ledger.group_commit import Made

# A process tells the common counter when a key has used this part of its limit: a key far from its
# limit costs nothing, and each process may let one at its limit go on for a hundredth of it.
PARTS = 100
REDIS_SECONDS = 2
NOTE_SECONDS = 1


async def in_thread(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call what asks the database, in a thread that keeps no connection afterwards."""

    def call() -> Any:
        try:
            return function(*arguments, **named)
        finally:
            connection.close()

    return await asyncio.to_thread(call)


class Bookkeeping:
    """Counts what API keys use, as throttling.py does, and notes when they were last used."""

    def __init__(self) -> None:
        self._redis: Redis | None = None
        self._minute = 0
        self._uncounted: Counter[int] = Counter()
        self._over: set[str] = set()
        self._unnoted: set[int] = set()
        self._noting: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def is_over_limit(self, secret: str) -> bool:
        """Whether the key with this hash has used up its minute, as far as is known."""
        return secret in self._over and self._minute == _this_minute()

    def record(self, secret: str, made: Made) -> None:
        """Take down one answered request."""
        self._count(secret, made.api_key)
        if made.api_key not in self._noting and key_secrets.is_note_stale(
            made.key_used_at, now=timezone.now()
        ):
            self._unnoted.add(made.api_key)
            if not self._noting:
                self._noting.add(made.api_key)
                self._start(self._note())

    async def close(self) -> None:
        """Finish what is being written."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._redis:
            await self._redis.aclose()

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        # The loop itself keeps no task from being collected.
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _count(self, secret: str, api_key: int) -> None:
        if (minute := _this_minute()) != self._minute:
            self._minute = minute
            self._uncounted.clear()
            self._over.clear()
        self._uncounted[api_key] += 1
        if self._uncounted[api_key] * PARTS >= settings.API_REQUESTS_PER_MINUTE:
            self._start(self._add(secret, api_key, self._uncounted.pop(api_key)))

    async def _add(self, secret: str, api_key: int, requests: int) -> None:
        self._redis = self._redis or Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
        )
        minute = self._minute
        name = cache.make_key(counter(str(api_key), timezone.now()))
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(name, 0, ex=2 * WINDOW_SECONDS, nx=True)
                pipeline.incrby(name, requests)
                total = (await pipeline.execute())[-1]
        except RedisError:
            return
        if total >= settings.API_REQUESTS_PER_MINUTE and minute == self._minute:
            self._over.add(secret)

    async def _note(self) -> None:
        while self._unnoted:
            self._noting, self._unnoted = self._unnoted, set()
            try:
                await in_thread(key_secrets.note_uses, self._noting, now=timezone.now())
            except DatabaseError:
                break
            # What is used meanwhile is noted together.
            await asyncio.sleep(NOTE_SECONDS)
        self._noting, self._unnoted = set(), set()


def _this_minute() -> int:
    return int(timezone.now().timestamp()) // WINDOW_SECONDS
