"""What the simulation has found, each as small as it gets."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from service.flow import Relay
from service.settings import Settings
from service.store import outbox, subscriptions
from service.store.records import Outgoing
from tests.flow.conftest import World
from tests.simulation.inputs import POLICY
from tests.simulation.world import DAWN

KEY = ("default", "s")


class GivesUp:
    """A producer that gives up what it is told to, and still sends what has been queued behind it."""

    def __init__(self, given_up: set[bytes]) -> None:
        self.sent: list[bytes] = []
        self._given_up = given_up

    async def partitions_for(self, _: str) -> set[int]:
        return {0}

    def create_batch(self) -> One:
        return One()

    async def send_batch(self, batch: One, _: str, *, partition: int) -> asyncio.Future[None]:
        assert partition == 0
        acknowledged = asyncio.get_running_loop().create_future()
        (value,) = batch.values
        if value in self._given_up:
            self._given_up.remove(value)
            acknowledged.set_exception(TimeoutError("no leader for the partition"))
        else:
            self.sent.append(value)
            acknowledged.set_result(None)
        return acknowledged


class One:
    """A batch that has room for one record."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def append(self, *, value: bytes, **_: object) -> bool | None:
        if self.values:
            return None
        self.values.append(value)
        return True


@pytest.fixture
def world(pool: asyncpg.Pool) -> World:
    return World(pool)


async def test_what_follows_is_not_sent_before_what_went_first_is_acknowledged(pool: asyncpg.Pool) -> None:
    told = [Outgoing("credit-adjustment", b"s", value, [], DAWN) for value in (b"1", b"2", b"3")]
    await outbox.append(pool, told, 1)
    producer = GivesUp({b"1", b"2"})
    async with pool.acquire() as connection:
        relay = Relay(connection, producer, Settings(relay_shards=1))
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await relay.once()
        assert await relay.once() == 3
    assert list(dict.fromkeys(producer.sent)) == [b"1", b"2", b"3"]


async def test_a_tick_in_vain_draws_no_second_snapshot_under_the_id_of_the_first(world: World) -> None:
    await world.flow.process([world.activated(), world.cancel()])
    policy = {"settlement": "prorate"}
    await world.flow.process([world.event(POLICY, "cancellation-policy-set", "p", policy, time="2020-01-01T00:00:00Z")])
    world.pass_by(seconds=1)
    assert await world.flow.end_due() == 1
    drawn = await world.pool.fetch("select headers from outbox where topic = 'subscription-timeline'")
    assert len(drawn) == 1


async def test_a_place_forgotten_while_another_waits_for_it_is_made_again(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        async with one.transaction():
            await subscriptions.lock(one, [KEY], DAWN)
        async with one.transaction(), two.transaction():
            await subscriptions.lock(one, [KEY], DAWN)
            await subscriptions.unpark_expired(one, [KEY], DAWN)
            waiting = asyncio.ensure_future(subscriptions.lock(two, [KEY], DAWN))
            while not await pool.fetchval("select count(*) from pg_locks where not granted"):
                pass
            await one.execute("commit; begin")
            assert (await waiting).known == {KEY: None}
