"""A worker whose database says nothing, whose broker is not there, or whose outbox is full."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.errors import KafkaError

from service import app
from service.consumer import _Door
from service.flow import Flow
from service.health import STUCK_SECONDS, Health
from service.local.process import free_ports
from service.settings import Settings, Topics
from service.store import outbox
from tests.flow.conftest import World


@asynccontextmanager
async def way_to(url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Another URL of the same database; once the event is set, connections made before stay open and carry nothing."""
    frozen = asyncio.Event()
    open_ends: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, older: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not (older and frozen.is_set()):
                    writer.write(data)
                    await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        older = not frozen.is_set()
        there_reader, there = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        open_ends.extend((writer, there))
        await asyncio.gather(carry(reader, there, older=older), carry(there_reader, writer, older=older))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    at = server.sockets[0].getsockname()[1]
    credentials = urlsplit(url).netloc.rpartition("@")[0]
    try:
        yield urlunsplit(urlsplit(url)._replace(netloc=f"{credentials}@127.0.0.1:{at}")), frozen
    finally:
        server.close()
        for end in open_ends:
            end.close()


async def test_a_connection_that_carries_nothing_any_more_is_given_up_and_the_batch_is_decided_on_another(
    world: World, database: str
) -> None:
    async with way_to(database) as (url, frozen):
        settings = Settings(database_url=url, database_timeout=timedelta(seconds=1))
        async with app._pool(settings) as pool:  # noqa: SLF001  as the service makes it
            flow = Flow(pool, settings, Topics(), lambda: world.now)
            await flow.process([world.activated()])
            frozen.set()
            batch, began = [world.cancel()], time.monotonic()
            with pytest.raises((TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError, OSError)):
                await flow.process(batch)
            assert time.monotonic() - began < 20
            assert await flow.process(batch) > 0
    assert "cancellation-scheduled" in await world.types()


async def test_postgres_ends_the_session_of_a_worker_that_is_stopped_in_the_middle(database: str) -> None:
    async with app._pool(Settings(database_url=database)) as pool, pool.acquire() as connection:  # noqa: SLF001
        limit = await connection.fetchval("show idle_in_transaction_session_timeout")
    assert limit == "30s"


async def test_a_relay_whose_broker_is_not_there_leaves_nothing_open(database: str) -> None:
    (port,) = free_ports(1)
    settings = Settings(database_url=database, kafka_bootstrap_servers=f"127.0.0.1:{port}")
    with pytest.raises(KafkaError):
        async with app._relay(settings):  # noqa: SLF001
            pass
    gc.collect()  # a producer left open says so here, and a warning is an error


async def test_nothing_more_is_decided_while_the_outbox_is_full(world: World) -> None:
    await world.flow.process([world.activated()])
    flow = Flow(world.pool, Settings(outbox_max_records=1), Topics(), lambda: world.now)
    door = _Door(flow, asyncio.Event(), Health())
    waiting = asyncio.create_task(door._room())  # noqa: SLF001
    done, _ = await asyncio.wait({waiting}, timeout=1)
    assert not done
    async with world.pool.acquire() as connection:
        await outbox.delete(connection, [row["id"] for row in await connection.fetch("select id from outbox")])
    async with asyncio.timeout(5):
        await waiting


def test_a_loop_is_stuck_when_it_has_not_turned_for_minutes_and_a_worker_not_ready_without_partitions_or_relay() -> (
    None
):
    health = Health()
    assert health.missing() == ["assignment", "relay"]
    health.joined = True
    health.relayed()
    health.turn("consumer")
    assert (health.missing(), health.stuck()) == ([], [])
    later = time.monotonic() + STUCK_SECONDS + 1
    assert (health.missing(later), health.stuck(later)) == (["relay"], ["consumer", "relay"])
