"""Spends that arrive together share a commit, and what befalls one of them or all of them."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from credits.access import create_key, revoke_key
from credits.ledger import audit, group_commit
from credits.ledger.group_commit import GroupCommit, Made, Refused, Unavailable
from credits.models import ApiKey, Organization, Spend, Wallet
from tests.concurrency.locks import wait_for_who_waits_for_a_lock
from tests.concurrency.patience import patient_groups

ALT = "alt-text.generate"
# Whoever is forgotten waits for ever; nothing here takes nearly as long.
HANGS_SECONDS = 60


class Caller:
    """An organization and its key."""

    def __init__(self, name: str, weekly_credits: int = 1_000) -> None:
        self.organization = Organization.objects.create(name=name, weekly_credits=weekly_credits)
        self.key, secret = create_key(name=name, organization=self.organization)
        self.secret = hashlib.sha256(secret.encode()).hexdigest()

    def asks(self, reference: object = "", key: str | None = None, action: str = ALT) -> dict:
        return {
            "secret": self.secret,
            "organization": None,
            "action": action,
            "quantity": 1,
            "reference": str(reference),
            "key": key,
        }


@pytest.fixture
def callers(committed_db: None) -> list[Caller]:
    return [Caller(f"O{number}") for number in range(5)]


@pytest.fixture
def patient(committed_db: None) -> Iterator[None]:
    with patient_groups():
        yield


def commit(scene: Callable[[GroupCommit], Any], **limits: int) -> Any:
    """Play a scene with a committer of its own."""

    async def play() -> Any:
        commits = GroupCommit(clock=timezone.now, **limits)
        try:
            async with asyncio.timeout(HANGS_SECONDS):
                return await scene(commits)
        finally:
            await commits.close()

    return asyncio.run(play())


async def under_way(commits: GroupCommit, spend: dict) -> "asyncio.Task[list[Made]]":
    """A request whose group has been taken up, so that whoever comes now is too late for it."""
    task = asyncio.create_task(commits.spend(spend))
    while commits._waiting or not commits._committer:
        await asyncio.sleep(0)
    return task


async def outcomes(*tasks: Any) -> list[Any]:
    """What came of requests: of a batch a list, or the exception's type."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [outcome(made) if isinstance(made, list) else type(made) for made in results]


def outcome(made: list[Made]) -> Any:
    return made[0].outcome if len(made) == 1 else [one.outcome for one in made]


def commits_of_references() -> list[list[str]]:
    """The references of spends that were committed together, in the order of the commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(reference ORDER BY reference::integer) FROM credits_spend "
            "GROUP BY xmin::text ORDER BY min(reference::integer)"
        )
        return [references for (references,) in cursor.fetchall()]


def test_who_comes_while_a_commit_is_under_way_shares_the_next(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, callers[0].asks(0))
        rest = [commits.spend(callers[number % 5].asks(number)) for number in range(1, 20)]
        return await outcomes(first, *rest)

    assert commit(scene) == ["created"] * 20
    assert commits_of_references() == [["0"], [str(number) for number in range(1, 20)]]
    assert list(audit.findings()) == []


def test_a_lone_request_waits_for_no_timer(callers: list[Caller], monkeypatch: Any) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        loop = asyncio.get_running_loop()
        start, an_hour = loop.call_at, 3600
        monkeypatch.setattr(
            loop, "call_at", lambda when, *rest, **named: start(when + an_hour, *rest, **named)
        )
        return [await outcomes(commits.spend(callers[0].asks(number))) for number in range(3)]

    assert commit(scene) == [["created"]] * 3
    assert commits_of_references() == [["0"], ["1"], ["2"]]


def test_who_comes_first_is_first_however_many_groups_it_takes(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        return await outcomes(*(commits.spend(callers[0].asks(number)) for number in range(40)))

    assert commit(scene, max_group=7) == ["created"] * 40
    entries = callers[0].organization.entries.filter(kind="spend").order_by("seq")
    made = list(entries.values_list("spend__reference", flat=True))
    assert made == [str(number) for number in range(40)]
    assert [len(group) for group in commits_of_references()] == [7] * 5 + [5]


def test_what_fails_in_a_group_leaves_the_others_unharmed(callers: list[Caller]) -> None:
    poor, revoked = Caller("Poor", weekly_credits=0), callers[3]
    revoke_key(revoked.key, now=timezone.now())

    async def scene(commits: GroupCommit) -> list[Any]:
        return await outcomes(
            commits.spend(callers[0].asks(0, key="k")),
            commits.spend(poor.asks(1)),
            commits.spend(callers[1].asks(2, action="nothing.such")),
            commits.spend(revoked.asks(3)),
            commits.spend(callers[0].asks(0, key="k")),
            commits.spend(callers[0].asks(4, key="k")),
            commits.spend(callers[2].asks(5)),
        )

    created, poor_one, unknown, refused, replayed, conflict, last = commit(scene)
    assert (created, replayed, last) == ("created", "replayed", "created")
    assert poor_one == "out_of_credits"
    assert {unknown, refused, conflict} == {"other"}
    assert commits_of_references() == [["0", "5"]]


def batch(caller: Caller, *spends: dict) -> dict:
    return {"secret": caller.secret, "spends": list(spends)}


def test_batches_share_a_commit_and_each_gets_the_answers_to_its_own(callers: list[Caller]) -> None:
    one, other = callers[:2]

    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, batch(one, one.asks(0), one.asks(0, key="k")))
        return await outcomes(
            first,
            commits.spend(batch(one, one.asks(1, key="l"), one.asks(0, key="k"))),
            commits.spend(other.asks(2)),
            commits.spend(batch(other, *(other.asks(number) for number in range(3, 6)))),
        )

    assert commit(scene) == [
        ["created", "created"],
        ["created", "replayed"],
        "created",
        ["created"] * 3,
    ]
    assert commits_of_references() == [["0", "0"], ["1", "2", "3", "4", "5"]]


def test_of_a_batch_with_what_its_key_may_not_spend_nothing_is_made(callers: list[Caller]) -> None:
    one, other = callers[:2]

    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, other.asks(0))
        odd = batch(one, one.asks(1), one.asks(2, action="nothing.such"), one.asks(3))
        return await outcomes(first, commits.spend(odd), commits.spend(other.asks(4)))

    assert commit(scene) == ["created", ["other"] * 3, "created"]
    assert commits_of_references() == [["0"], ["4"]]


def test_of_a_batch_with_a_conflict_nothing_is_made_and_its_group_is_served(
    callers: list[Caller],
) -> None:
    one, other = callers[:2]

    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, one.asks(0, key="k"))
        odd = batch(one, one.asks(1), one.asks(2, key="k"))
        fine = batch(other, other.asks(3), other.asks(4))
        return await outcomes(first, commits.spend(odd), commits.spend(fine))

    assert commit(scene) == ["created", Refused, ["created"] * 2]
    assert commits_of_references() == [["0"], ["3", "4"]]
    assert one.organization.wallet.entry_seq == 2  # The week's bundle, and the first spend.


def test_a_key_revoked_while_its_spend_waits_is_refused(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, callers[0].asks(0))
        second = asyncio.create_task(commits.spend(callers[1].asks(1)))
        await asyncio.to_thread(in_thread, revoke_key, callers[1].key, now=timezone.now())
        return await outcomes(first, second, commits.spend(callers[1].asks(2)))

    assert commit(scene)[2] == "other"


def in_thread(function: Any, *arguments: Any, **named: Any) -> Any:
    try:
        return function(*arguments, **named)
    finally:
        connection.close()


def test_a_stuck_wallet_refuses_its_group_and_the_next_go_on(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        stuck = await under_way(commits, callers[0].asks(0))
        return await outcomes(stuck, *(commits.spend(one.asks(1)) for one in callers[1:]))

    with transaction.atomic():
        Wallet.objects.select_for_update().get(organization=callers[0].organization)
        assert commit(scene) == [Refused, *["created"] * 4]
    assert commits_of_references() == [["1"] * 4]


def test_who_shares_a_group_with_a_stuck_wallet_is_served(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, callers[1].asks(0))
        group = (commits.spend(one.asks(1)) for one in callers)
        return await outcomes(first, *group)

    with transaction.atomic():
        Wallet.objects.select_for_update().get(organization=callers[0].organization)
        assert commit(scene) == ["created", Refused, *["created"] * 4]
    assert commits_of_references() == [["0"], *[["1"]] * 4]


def test_who_left_before_its_spend_was_sent_has_not_spent(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, callers[0].asks(0))
        gone = asyncio.create_task(commits.spend(callers[1].asks(1)))
        await asyncio.sleep(0)
        gone.cancel()
        return await outcomes(first, commits.spend(callers[2].asks(2)))

    assert commit(scene) == ["created"] * 2
    assert commits_of_references() == [["0"], ["2"]]


def test_who_left_while_its_group_was_refused_has_not_spent(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, callers[1].asks(0))
        stuck, gone, other = (
            asyncio.create_task(commits.spend(one.asks(1))) for one in callers[:3]
        )
        await first
        while commits._waiting:
            await asyncio.sleep(0)
        gone.cancel()
        return await outcomes(stuck, other)

    with transaction.atomic():
        Wallet.objects.select_for_update().get(organization=callers[0].organization)
        assert commit(scene) == [Refused, "created"]
    assert commits_of_references() == [["0"], ["1"]]


def test_nobody_of_a_refused_group_is_forgotten_when_all_is_stopped(
    callers: list[Caller], monkeypatch: Any
) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        call = commits._call

        async def failing(spends: list[dict[str, Any]], lock_timeout: str) -> list[list[Made]]:
            if len(spends) == 1 and spends[0]["reference"] == "1":
                raise RuntimeError("out of order")
            return await call(spends, lock_timeout)

        monkeypatch.setattr(commits, "_call", failing)
        first = await under_way(commits, callers[1].asks(0))
        return await outcomes(first, *(commits.spend(one.asks(1)) for one in callers[:3]))

    with transaction.atomic():
        Wallet.objects.select_for_update().get(organization=callers[0].organization)
        assert commit(scene) == ["created", *[Unavailable] * 3]


@pytest.mark.parametrize("failure", [[], psycopg.DataError("nothing a loader can read")])
def test_what_the_database_did_not_say_itself_leaves_the_outcome_open(
    callers: list[Caller], monkeypatch: Any, failure: Any
) -> None:
    async def fetchall(cursor: Any) -> Any:
        if isinstance(failure, Exception):
            raise failure
        return failure

    async def scene(commits: GroupCommit) -> list[Any]:
        with monkeypatch.context() as patch:
            patch.setattr(psycopg.AsyncCursor, "fetchall", fetchall)
            first = await outcomes(commits.spend(callers[0].asks(0)))
        return first + await outcomes(commits.spend(callers[1].asks(1)))

    assert commit(scene) == [Unavailable, "created"]


def while_locked(caller: Caller, call: Callable[[], Any], then: Callable[[int], Any]) -> Any:
    """What `call` returns, whose spend waits for a wallet of ours until `then` has happened."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    with transaction.atomic():
        Wallet.objects.select_for_update().get(organization=caller.organization)
        thread.start()
        then(wait_for_who_waits_for_a_lock())
    thread.join()
    return results[0]


def kill(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


@pytest.mark.usefixtures("patient")
def test_a_lost_connection_leaves_the_outcome_open_and_the_next_group_gets_another(
    callers: list[Caller],
) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, callers[0].asks(0))
        return await outcomes(first, *(commits.spend(one.asks(1)) for one in callers[1:]))

    result = while_locked(callers[0], lambda: commit(scene), then=kill)
    assert result == [Unavailable, *["created"] * 4]
    assert Spend.objects.count() == 4


def test_a_connection_that_was_cut_while_idle_is_not_used_again(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        await commits.spend(callers[0].asks(0))
        assert commits._connection
        pid = commits._connection.info.backend_pid
        await asyncio.to_thread(in_thread, kill, pid)
        return await outcomes(commits.spend(callers[0].asks(1)))

    assert commit(scene) == ["created"]


@pytest.mark.usefixtures("patient")
def test_a_silent_database_is_given_up(callers: list[Caller], monkeypatch: Any) -> None:
    monkeypatch.setattr(group_commit, "GROUP_SECONDS", 0.5)

    async def scene(commits: GroupCommit) -> list[Any]:
        first = await outcomes(commits.spend(callers[0].asks(0)))
        return first + await outcomes(commits.spend(callers[1].asks(1)))

    with transaction.atomic():
        Wallet.objects.select_for_update().get(organization=callers[0].organization)
        assert commit(scene) == [Unavailable, "created"]
    assert commits_of_references() == [["1"]]


def test_a_full_queue_refuses_at_once_and_forgets_nobody(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, callers[0].asks(0))
        waiting = [asyncio.create_task(commits.spend(callers[1].asks(n))) for n in range(1, 4)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as full:
            await commits.spend(callers[2].asks(9))
        assert full.value.retry_after_seconds == 1
        return await outcomes(first, *waiting)

    assert commit(scene, max_waiting=3) == ["created"] * 4
    assert commits_of_references() == [["0"], ["1", "2", "3"]]


def test_who_hangs_up_disturbs_nobody(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, callers[0].asks(0))
        gone, *rest = [asyncio.create_task(commits.spend(one.asks(1))) for one in callers]
        await asyncio.sleep(0)
        first.cancel()
        gone.cancel()
        return await outcomes(*rest)

    assert commit(scene) == ["created"] * 4


def test_everybody_is_answered_when_the_committer_is_stopped(callers: list[Caller]) -> None:
    async def scene(commits: GroupCommit) -> list[Any]:
        first = await under_way(commits, callers[0].asks(0))
        rest = [asyncio.create_task(commits.spend(one.asks(1))) for one in callers]
        await asyncio.sleep(0)
        assert commits._committer
        commits._committer.cancel()
        stopped = await outcomes(first, *rest)
        return stopped + await outcomes(commits.spend(callers[0].asks(2)))

    assert commit(scene) == [Unavailable] * 6 + ["created"]


def test_it_closes_when_the_last_group_is_committed(callers: list[Caller]) -> None:
    async def scene() -> list[Any]:
        commits = GroupCommit(clock=timezone.now)
        spends = [asyncio.create_task(commits.spend(one.asks(1))) for one in callers]
        await asyncio.sleep(0)
        await commits.close()
        return await outcomes(*spends)

    assert asyncio.run(scene()) == ["created"] * 5
    assert ApiKey.objects.count() >= 5
