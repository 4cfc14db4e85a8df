"""Nothing grows without bound: what is past its time is cleared away, and no event is decided twice for it."""

from __future__ import annotations

import asyncio

import asyncpg

from service.store import inbox
from service.store.housekeeping import rotate_inbox
from tests.flow.conftest import World

CANCELLED = ["cancellation-scheduled", "period-shortened", "renewal-cancelled", "credit-adjustment"]
TABLES = ("outbox", "parked", "consumer_offset", "subscription", "inbox", "inbox_before", "dead_letter_fate")


async def rotated(world: World) -> int:
    """How often the inbox was rotated: by the number that its table bears underneath."""
    return int(await world.pool.fetchval("select 'inbox'::regclass::oid::int"))


async def beginning(world: World) -> None:
    """The chores were last done now."""
    await world.pool.execute("update housekeeping set done_at = $1", world.now)


async def test_a_repeat_is_known_as_one_for_45_days_at_least(world: World) -> None:
    await beginning(world)
    world.pass_by(days=44)
    await world.flow.process([world.activated(), world.issued(), world.cancel()])
    tables = [await rotated(world)]
    for days in (2, 43):
        world.pass_by(days=days)
        await world.flow.housekeep()
        await world.flow.process([world.activated(), world.issued(), world.cancel()])
        tables.append(await rotated(world))
    assert await world.types() == CANCELLED
    assert len(set(tables)) == 2
    assert await world.pool.fetchval("select count(*) from fact") == 3


async def test_a_repeat_that_comes_is_remembered_anew_and_one_that_does_not_is_forgotten(world: World) -> None:
    await beginning(world)
    await world.flow.process([world.activated(), world.issued()])
    for _ in range(3):
        world.pass_by(days=46)
        await world.flow.housekeep()
        await world.flow.process([world.activated()])
    known = await world.pool.fetch("select event from inbox union select event from inbox_before")
    assert [row["event"] for row in known] == [inbox.event_key("tests", "activated")]
    assert await world.pool.fetchval("select count(*) from fact") == 2


async def test_workers_that_go_on_claiming_while_the_inbox_is_rotated_claim_each_event_once(world: World) -> None:
    events = [(bytes([1, number]), b"c") for number in range(200)]
    won: list[int] = []

    async def claiming(connection: asyncpg.Connection) -> None:
        for start in range(0, 200, 10):
            async with connection.transaction():
                wanted = events[start : start + 10]
                known = await inbox.claim(connection, wanted, world.now)
                won.append(sum(content not in known[event] for event, content in wanted))
                await asyncio.sleep(0.002)

    async def rotating(connection: asyncpg.Connection) -> None:
        await asyncio.sleep(0.02)
        async with connection.transaction():
            world.pass_by(days=60)
            assert await rotate_inbox(connection, world.now, world.now)

    await beginning(world)
    async with world.pool.acquire() as one, world.pool.acquire() as two, world.pool.acquire() as three:
        await asyncio.gather(claiming(one), claiming(two), rotating(three))
    assert sum(won) == 200


async def test_only_one_worker_rotates_and_one_that_must_wait_long_leaves_it(world: World) -> None:
    await beginning(world)
    world.pass_by(days=50)
    before = await rotated(world)
    async with world.pool.acquire() as busy:
        async with busy.transaction():
            await inbox.claim(busy, [(b"e", b"c")], world.now)
            await world.flow.housekeep()
        assert await rotated(world) == before
    await asyncio.gather(*(world.flow.housekeep() for _ in range(3)))
    after = await rotated(world)
    assert after != before
    await world.flow.housekeep()
    assert await rotated(world) == after


async def test_what_was_released_may_come_again_whichever_generation_knew_it(world: World) -> None:
    await beginning(world)
    await world.flow.process([world.issued(amount="300.005")])
    world.pass_by(days=46)
    await world.flow.housekeep()
    await world.flow.process([world.activated()])
    assert await world.types() == ["dead-letter"]
    known = await world.pool.fetch("select event from inbox union select event from inbox_before")
    assert [row["event"] for row in known] == [inbox.event_key("tests", "activated")]


async def test_fates_go_when_their_letters_are_long_gone(world: World) -> None:
    await beginning(world)
    add = "insert into dead_letter_fate values ('t', 0, $1, 'discarded', 'why', $2)"
    await world.pool.execute(add, 1, world.now)
    world.pass_by(days=179)
    await world.pool.execute(add, 2, world.now)
    await world.flow.housekeep()
    assert await world.pool.fetchval("select count(*) from dead_letter_fate") == 2
    world.pass_by(days=1, hours=1)
    await world.flow.housekeep()
    assert await world.pool.fetchval('select "offset" from dead_letter_fate') == 2


async def test_many_cycles_leave_the_tables_as_large_as_a_few(world: World) -> None:
    """Half a year of subscriptions that come and go, three days at a time; autovacuum's part is played by hand."""
    await beginning(world)
    sizes: list[dict[str, int]] = []
    for day in range(0, 184, 3):
        world.pass_by(days=3)
        names = [f"{day}-{n}" for n in range(10)]
        await world.flow.process([world.cancel(name, f"c{name}") for name in names])
        bad = [world.record("cancellation-requested", b"{", []), world.issued(names[0], "-", amount="0.005")]
        await world.flow.process([*(world.activated(name, f"a{name}") for name in names), *bad])
        await world.flow.end_due()
        await world.flow.housekeep()
        await world.pool.execute("delete from outbox")  # as the relay does
        await world.pool.execute("vacuum (truncate false) outbox, parked, consumer_offset, subscription")
        if day in {90, 183}:
            sized = [await world.pool.fetchval("select pg_total_relation_size($1::regclass)", name) for name in TABLES]
            sizes.append(dict(zip(TABLES, sized, strict=True)))
    half, whole = sizes
    del half["subscription"], whole["subscription"]  # they are kept
    assert all(whole[name] <= 1.2 * half[name] + 16384 for name in whole), (half, whole)
    assert await world.pool.fetchval("select count(*) from inbox") <= 16 * 20
