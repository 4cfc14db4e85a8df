"""The service verifies its own books: a few at a time, and what differs is known until it is right."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from service import metrics
from service.ops import books as turns
from service.ops.books import Books
from service.ops.watching import Watch
from service.settings import Settings, Topics
from tests.flow.conftest import World


@pytest.fixture
def books(world: World) -> Books:
    return Books(world.pool, Settings(), Topics(), lambda: world.now)


async def lives(world: World, count: int) -> None:
    """So many subscriptions, each cancelled."""
    names = [f"s{number}" for number in range(count)]
    await world.flow.process([world.activated(name, f"a-{name}") for name in names])
    await world.flow.process([world.cancel(name, f"c-{name}") for name in names])


async def known(world: World) -> dict[str, str]:
    """What is known to differ."""
    rows = await world.pool.fetch("select subscription_id, difference from out_of_balance")
    return {row["subscription_id"]: row["difference"] for row in rows}


async def looked_at(world: World) -> dict[str, float]:
    """What the operations page and the metrics say of the books."""
    await Watch(world.pool, Settings(), lambda: world.now).look()
    gauges = {"out": metrics.OUT_OF_BALANCE, "round": metrics.BOOKS_ROUND, "age": metrics.BOOKS_ROUND_AGE}
    return {name: metrics.value(each) for name, each in {**gauges, "last": metrics.BOOKS_LAST_ROUND}.items()}


async def test_a_round_goes_through_all_of_them_a_few_at_a_time(world: World, books: Books) -> None:
    await lives(world, 5)
    assert [await books.verify(2) for _ in range(2)] == [2, 2]
    assert (await looked_at(world)) | {"age": 0} == {"out": 0, "round": 4, "age": 0, "last": 0}
    assert await books.verify(2) == 1
    world.pass_by(hours=1)
    assert await looked_at(world) == {"out": 0, "round": 0, "age": 3600, "last": 5}
    assert await books.verify(2) == 2


async def test_what_differs_is_told_once_and_known_until_it_is_right(world: World, books: Books) -> None:
    await lives(world, 3)
    await world.pool.execute("update subscription set sequence = 99 where subscription_id = 's1'")
    with capture_logs() as logged:
        for _ in range(3):
            await books.verify()
    told = [line for line in logged if line["event"] == "out-of-balance"]
    sentence = "row.sequence: stored 99, facts say 3"
    assert told == [
        {
            "event": "out-of-balance",
            "log_level": "error",
            "tenant_id": "default",
            "subscription_id": "s1",
            "difference": sentence,
        }
    ]
    assert await known(world) == {"s1": sentence}
    assert (await looked_at(world))["out"] == 1
    await world.pool.execute("update subscription set sequence = 3 where subscription_id = 's1'")
    await books.verify()
    assert await known(world) == {}


async def test_what_was_put_right_is_seen_before_its_turn_in_the_round(world: World, books: Books) -> None:
    await lives(world, 4)
    await world.pool.execute("update subscription set sequence = 99 where subscription_id = 's0'")
    await books.verify(1)
    assert set(await known(world)) == {"s0"}
    await world.pool.execute("update subscription set sequence = 3 where subscription_id = 's0'")
    await books.verify(1)
    assert await known(world) == {}


async def test_long_histories_make_a_turn_shorter_and_the_next_goes_on_there(
    world: World, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lives(world, 3)
    monkeypatch.setattr(turns, "_LONGEST", 0.0)
    assert [await books.verify() for _ in range(2)] == [1, 1]
    assert (await looked_at(world))["round"] == 2
    assert await books.verify() == 1
    assert (await looked_at(world))["last"] == 3


async def test_workers_take_turns(world: World, books: Books) -> None:
    await lives(world, 4)
    async with world.pool.acquire() as other, other.transaction():
        await other.execute("select from books for update")
        assert await books.verify() == 0
    verified = await asyncio.gather(*(books.verify(4) for _ in range(4)))
    assert 4 in verified
    assert set(verified) <= {0, 4}


async def test_a_turn_takes_a_hundredth_of_the_time(
    world: World, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lives(world, 1)
    now = 1000.0
    monkeypatch.setattr(turns, "monotonic", lambda: now)

    async def taking(size: int = 0) -> int:
        nonlocal now
        now += 2.0
        return size

    monkeypatch.setattr(books, "verify", taking)
    for moment, after in ((1000.0, 1002.0), (1201.0, 1201.0), (1202.0, 1204.0)):
        now = moment
        await books.turn()
        assert now == after


async def test_a_turn_that_fails_is_reported_and_taken_again(
    world: World, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lives(world, 1)
    before = metrics.by_label(metrics.RETRIES, "what")["books"]

    async def failing(*_: Any) -> None:  # noqa: ANN401  whatever it is given
        raise ValueError

    with capture_logs() as logged, monkeypatch.context() as patched:
        patched.setattr(turns, "verify_these", failing)
        await books.turn()
    assert [line["event"] for line in logged] == ["books-not-verified"]
    assert metrics.by_label(metrics.RETRIES, "what")["books"] == before + 1
    assert await books.verify() == 1
