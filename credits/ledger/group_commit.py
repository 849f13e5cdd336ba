"""Group commit: spends that arrive while a commit is under way are made in the next one, together.

A commit takes the disk its time, however much is in it. So each process has one committer, which
makes all that wait in one call of `ledger_spend_group` (sql/grouping.sql) and so in one commit:

    A arrives ─► waits: A ─► the committer calls with [A] ──── commit ─► A is answered
    B arrives ─────► waits: B                                │
    C arrives ────────► waits: B, C                          └─► calls with [B, C] ── commit ─► both

A request asks for one spend or for a batch of them. Nobody waits for company: A came alone and went
at once. Company is who comes meanwhile, and so groups grow with the load by themselves. Who comes
first is in the first group, and first in it. Each gets its own answer, and only when the commit is
on disk.

What goes wrong goes wrong for a whole group. When the database refused it, nothing was done, and
each of its requests is tried alone, without patience, so that the one at fault is found
(`Refused`). When the connection was lost, nobody knows whether the commit came through
(`Unavailable`): the same idempotency key can tell, and the next group gets a new connection. Who
left before its request was sent is passed over.
"""

import asyncio
import logging
import select
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg
from django.db import connection
from psycopg.errors import TransactionRollback
from psycopg.rows import args_row
from psycopg.types.json import set_json_loads

# How long a group waits for a wallet that somebody else has locked, and a spend tried alone after.
GROUP_LOCK_TIMEOUT, ALONE_LOCK_TIMEOUT = "500ms", "20ms"
# A server that is silent for so long is gone.
GROUP_SECONDS = 20
CONNECT_SECONDS = 5

logger = logging.getLogger(__name__)


class Made(NamedTuple):
    """What `ledger_spend_group` tells of one spend.

    `outcome` is created, replayed or out_of_credits, where `total` credits were needed and
    `balance` were there at the moment `at`. Or it is `other`, with nothing done and the rest empty.
    `api_key` is the primary key of the key that asked, and `key_used_at` when it last did so.
    """

    outcome: str
    api_key: int
    key_used_at: datetime | None
    organization: str
    shows_balance: bool
    weekly_credits: int
    spend: UUID
    total: int
    drawn: list[dict[str, Any]]
    balance: int
    at: datetime


class Refused(Exception):
    """The database refused the whole group: nothing was done, and a request may succeed alone."""


class Unavailable(Exception):
    """The spend was not made, or nobody knows; the same idempotency key may be sent again."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("The spend has no answer.")
        self.retry_after_seconds = retry_after_seconds


_CALL = f"SELECT {', '.join(Made._fields)} FROM ledger_spend_group(%s::jsonb, %s, %s) ORDER BY item"  # noqa: S608 our names
_Waiter = tuple[dict[str, Any], "asyncio.Future[list[Made]]"]


class GroupCommit:
    """A committer with a connection of its own; `clock` tells it the time.

    At most `max_group` requests are in a group, and `max_waiting` wait for theirs.
    """

    def __init__(
        self, clock: Callable[[], datetime], *, max_group: int = 100, max_waiting: int = 2_000
    ) -> None:
        self._clock = clock
        self._max_group = max_group
        self._max_waiting = max_waiting
        self._waiting: deque[_Waiter] = deque()
        self._committer: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Made] | None = None

    async def spend(self, request: dict[str, Any]) -> list[Made]:
        """Make the spends of a request, one of `p_spends` in sql/grouping.sql.

        Raises Refused or Unavailable. Who stops waiting for the answer may find the spends made.
        """
        if len(self._waiting) >= self._max_waiting:
            raise Unavailable(retry_after_seconds=1)
        answer: asyncio.Future[list[Made]] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_all())
        return await answer

    async def close(self) -> None:
        """Commit what waits, then close the connection."""
        if self._committer:
            await asyncio.wait([self._committer])
        await self._disconnect()

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                if group := self._next_group():
                    await self._commit(group, GROUP_LOCK_TIMEOUT)
        finally:
            # Nobody waits now, unless this task was stopped in the middle.
            self._committer = None
            self._turn_all_away()

    def _turn_all_away(self) -> None:
        _fail(self._waiting, Unavailable(retry_after_seconds=1))
        self._waiting.clear()

    def _next_group(self) -> list[_Waiter]:
        size = min(len(self._waiting), self._max_group)
        taken = (self._waiting.popleft() for _ in range(size))
        return [waiter for waiter in taken if not waiter[1].done()]

    async def _commit(self, group: list[_Waiter], lock_timeout: str) -> None:
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                all_made = await self._call([request for request, _ in group], lock_timeout)
        except psycopg.Error as error:
            # A batch that asks for what cannot be made is its client's affair.
            level = logging.INFO if isinstance(error, TransactionRollback) else logging.WARNING
            name = type(error).__name__
            logger.log(level, "A group of %s requests failed: %s", len(group), name)
            await self._go_on_after(error, group)
        except BaseException as error:
            _fail(group, Unavailable(retry_after_seconds=5))
            await self._disconnect()
            if not isinstance(error, TimeoutError):
                raise
            logger.warning("The database is silent; a group of %s requests failed.", len(group))
            # The others would only wait as long, group after group.
            self._turn_all_away()
        else:
            for (_, answer), made in zip(group, all_made, strict=True):
                if not answer.done():
                    answer.set_result(made)

    async def _go_on_after(self, error: psycopg.Error, group: list[_Waiter]) -> None:
        """Only where the server itself says what went wrong was the group surely rolled back."""
        is_open = self._connection is not None and not self._connection.closed
        if error.sqlstate is None or not is_open:
            _fail(group, Unavailable(retry_after_seconds=5))
        elif len(group) == 1:
            _fail(group, Refused())
        else:
            try:
                for waiter in group:
                    if not waiter[1].done():
                        await self._commit([waiter], ALONE_LOCK_TIMEOUT)
            finally:
                # Whoever is left here if one of them stopped it all.
                _fail(group, Unavailable(retry_after_seconds=1))

    async def _call(self, requests: list[dict[str, Any]], lock_timeout: str) -> list[list[Made]]:
        connection = await self._connected()
        arguments = (orjson.dumps(requests).decode(), self._clock(), lock_timeout)
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(_CALL, arguments, prepare=True)
            all_made = await cursor.fetchall()
        sizes = [len(request.get("spends", (request,))) for request in requests]
        if len(all_made) != sum(sizes):
            raise RuntimeError(f"{sum(sizes)} spends got {len(all_made)} answers.")
        answers = iter(all_made)
        return [list(islice(answers, size)) for size in sizes]

    async def _connected(self) -> psycopg.AsyncConnection[Made]:
        if self._connection and (self._connection.closed or _is_hung_up(self._connection)):
            await self._disconnect()
        if self._connection is None:
            parameters = _parameters()
            self._connection = await psycopg.AsyncConnection.connect(
                **parameters, autocommit=True, row_factory=args_row(Made)
            )
            set_json_loads(orjson.loads, self._connection)
        return self._connection

    async def _disconnect(self) -> None:
        former, self._connection = self._connection, None
        if former:
            await former.close()


def _fail(group: Iterable[_Waiter], error: Exception) -> None:
    for _, answer in group:
        if not answer.done():
            answer.set_exception(error)


def _is_hung_up(connection: psycopg.AsyncConnection[Made]) -> bool:
    """Whether the server has left; between calls it has nothing else to say."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _parameters() -> dict[str, Any]:
    """Where the database is, as Django has it, without what is only for its own connections."""
    own = ("cursor_factory", "context", "prepare_threshold")
    parameters = connection.get_connection_params()
    kept = {name: value for name, value in parameters.items() if name not in own}
    return {**kept, "connect_timeout": CONNECT_SECONDS}
