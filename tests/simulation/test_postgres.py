"""The database in memory against the real one: the same calls, and every row the same afterwards; the same waits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from service.flow import Flow
from service.settings import Settings
from service.store import housekeeping, inbox, outbox, policies, subscriptions
from service.store.records import Incoming
from tests.simulation.inputs import policy, records, scrap, small_life, stranger
from tests.simulation.kafka import Log
from tests.simulation.postgres import KEYS, STATEMENTS, Connection, Database, Pool
from tests.simulation.schedule import TURN, Chance, Schedule
from tests.simulation.world import DAWN, TOPICS

SETTINGS = Settings(
    seal_grace=timedelta(minutes=10),
    await_subscription=timedelta(minutes=30),
    inbox_retention=timedelta(minutes=20),
    topic_retention=timedelta(minutes=20),
)


class Living:
    """A client that does not die."""

    alive = True


class Calm:
    """The database in memory with nothing that goes wrong."""

    def __init__(self) -> None:
        self.chance = Chance(0)
        self.chance.calm = True
        self.database = Database(self.chance)
        self.schedule = Schedule(self.chance)
        for task in ("inbox", "fates"):
            self.database.tables["housekeeping"][task,] = {"task": task, "done_at": DAWN}

    def run(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Runs it until it is done or waits."""

        async def run() -> None:
            await coroutine

        self.schedule.start("it", None, run())
        while self.schedule.step() is not None:
            pass


async def test_what_the_flow_leaves_behind_is_the_same_row_for_row(pool: asyncpg.Pool) -> None:
    await pool.execute("update housekeeping set done_at = $1", DAWN)
    calm = Calm()
    chance, now = random.Random(5), DAWN  # noqa: S311  to be repeated
    fake = Flow(Pool(calm.database, Living()), SETTINGS, TOPICS, lambda: now)
    real = Flow(pool, SETTINGS, TOPICS, lambda: now)
    batches = [told[at : at + 7] for told in [_told(chance)] for at in range(0, len(told), 7)]
    for number, batch in enumerate([*batches, *batches[-2:], *[[]] * 6]):
        now += timedelta(minutes=1 if number < len(batches) else 12)
        for act in (lambda flow, batch=batch: flow.process(batch), Flow.end_due, Flow.housekeep):
            await act(real)
            calm.run(act(fake))
        sent = [row["id"] for row in await pool.fetch("select id from outbox order by id limit $1", number % 9)]
        await outbox.delete(pool, sent)
        calm.run(outbox.delete(calm.database.connect(Living()), sent))
        if number % 5 == 0:
            await _compare(pool, calm.database)
    await _compare(pool, calm.database)
    assert all(calm.database.tables[table] for table in ("fact", "policy", "consumer_offset", "subscription"))


def _told(chance: random.Random) -> list[Incoming]:
    lives = [number for number in range(60) if small_life(number) is not None][:6]
    streams = [list(stream) for number in lives for stream in records(number)]
    streams += [
        [policy("acme", 1), policy("default", 2)],
        [scrap(0), scrap(1)],
        *[[*stranger(n).early] for n in (0, 1)],
    ]
    log = Log()
    log.read = {(topic, number): [] for topic in TOPICS.inputs for number in range(2)}
    told: list[Incoming] = []
    while streams:
        stream = chance.choice(streams)
        for _ in range(1 + (chance.random() < 0.1)):
            log.tell(stream[0].topic, stream[0].key, stream[0].value, stream[0].headers, 0)
            told.append(next(r[-1] for r in log.read.values() if r and r[-1] not in told))
        stream.pop(0)
        streams = [left for left in streams if left]
    return told


async def _compare(pool: asyncpg.Pool, database: Database) -> None:
    for table, key in KEYS.items():
        rows = [dict(row) for row in await pool.fetch(f"select * from {table}")]  # noqa: S608  one of ours
        real = {tuple(row[name] for name in key): row for row in rows}
        assert database.tables[table] == real, f"{table} differs"


Step = Callable[[Any], Awaitable[object]]
A, B = ("default", "a"), ("default", "b")
GROUP, FIRST, SECOND = "g", ("t", 0), ("t", 1)
EVENT = (b"event", b"content")

LOCK_A: Step = lambda c: subscriptions.lock(c, [A], DAWN)  # noqa: E731  a table of them
LOCK_B: Step = lambda c: subscriptions.lock(c, [B], DAWN)  # noqa: E731
LOCK_DUE: Step = lambda c: subscriptions.lock_due(c, DAWN, 10)  # noqa: E731
OFFSET: Step = lambda c: inbox.lock_offsets(c, GROUP, [FIRST])  # noqa: E731
OTHER_OFFSET: Step = lambda c: inbox.lock_offsets(c, GROUP, [SECOND])  # noqa: E731
CLAIM: Step = lambda c: inbox.claim(c, [EVENT], DAWN)  # noqa: E731
CLAIM_OTHER: Step = lambda c: inbox.claim(c, [(b"other", b"content")], DAWN)  # noqa: E731
RELEASE: Step = lambda c: inbox.release(c, [EVENT])  # noqa: E731
ROTATE: Step = lambda c: housekeeping.rotate_inbox(c, DAWN + timedelta(days=1), DAWN)  # noqa: E731
FORGET_A: Step = lambda c: subscriptions.unpark_expired(c, [A], DAWN)  # noqa: E731
POLICIES: Step = lambda c: policies.read(c, ["default"])  # noqa: E731


@pytest.mark.parametrize(
    ("before", "first", "second", "waits"),
    [
        ([], [OFFSET], OFFSET, True),
        ([OFFSET], [OFFSET], OFFSET, True),
        ([], [OFFSET], OTHER_OFFSET, False),
        ([], [CLAIM], CLAIM, True),
        ([CLAIM], [CLAIM], CLAIM, False),
        ([CLAIM], [RELEASE], CLAIM, True),
        ([], [CLAIM], CLAIM_OTHER, False),
        ([], [CLAIM], ROTATE, True),
        ([], [ROTATE], CLAIM, True),
        ([], [ROTATE], ROTATE, True),
        ([], [LOCK_A], LOCK_A, True),
        ([LOCK_A], [LOCK_A], LOCK_A, True),
        ([LOCK_A], [LOCK_A], LOCK_B, False),
        ([LOCK_A], [LOCK_A], LOCK_DUE, False),
        ([LOCK_A], [LOCK_A, FORGET_A], LOCK_A, True),
        ([LOCK_A], [LOCK_A], POLICIES, False),
    ],
)
async def test_who_waits_for_whom_is_the_same(
    pool: asyncpg.Pool, before: list[Step], first: list[Step], second: Step, *, waits: bool
) -> None:
    """`before` is committed; then one transaction takes its steps and stays open, and another takes its own."""
    await pool.execute("update housekeeping set done_at = $1", DAWN)
    assert await _waits_in_postgres(pool, before, first, second) == waits
    assert _waits_in_memory(before, first, second) == waits


async def _waits_in_postgres(pool: asyncpg.Pool, before: list[Step], first: list[Step], second: Step) -> bool:
    async with pool.acquire() as one, pool.acquire() as two, pool.acquire() as watcher:
        for step in before:
            await step(one)
        open_one, open_two = one.transaction(), two.transaction()
        await open_one.start()
        await open_two.start()
        for step in first:
            await step(one)
        under_way = asyncio.ensure_future(second(two))
        waited = False
        while not (under_way.done() or waited):
            waited = (
                await watcher.fetchval(
                    "select wait_event_type = 'Lock' from pg_stat_activity where pid = $1", two.get_server_pid()
                )
                or False
            )
        await open_one.commit()
        await under_way
        await open_two.rollback()
        return waited


def _waits_in_memory(before: list[Step], first: list[Step], second: Step) -> bool:
    calm = Calm()
    one, two = (Connection(calm.database, Living()) for _ in range(2))
    done: list[str] = []

    async def opened() -> None:
        for step in before:
            await step(one)
        async with one.transaction():
            for step in first:
                await step(one)
            calm.schedule.start("other", None, other())
            for _ in range(30):
                await TURN
            done.append("first")

    async def other() -> None:
        async with two.transaction():
            await second(two)
        done.append("second")

    calm.run(opened())
    assert sorted(done) == ["first", "second"], "what waits goes on in the end"
    return done[0] == "first"


def test_every_statement_of_the_store_that_the_flow_runs_is_known() -> None:
    """Those that are not are for operators and for the start of a service."""
    written = {
        f"{module.__name__}.{name}": sql
        for module in (inbox, outbox, policies, subscriptions, housekeeping)
        for name, sql in vars(module).items()
        if isinstance(sql, str) and name.startswith("_") and name.strip("_").isupper()
    }
    unknown = {name.removeprefix("service.store.") for name, sql in written.items() if sql not in STATEMENTS}
    assert unknown <= {"subscriptions._OPEN", "subscriptions._READ", "outbox._COUNT"}
