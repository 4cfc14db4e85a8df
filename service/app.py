"""The composition root: settings, pool, broker, loops, web server; and how they stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer

from service.consumer import broker_for
from service.flow import Flow, Relay
from service.http import serve
from service.retry import patiently, pause
from service.settings import Settings, Topics
from service.store.migrate import migrate

log = structlog.get_logger(__name__)

_DRAIN_SECONDS = 20
"""What is under way may take this long to end; a deployment's own limit is commonly 30."""


async def run(settings: Settings, topics: Topics, ready: Callable[[str], None]) -> None:
    """Runs the service until SIGINT or SIGTERM; `ready` is told the HTTP address once it consumes."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(_run(settings, topics, stop, ready))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        await asyncio.wait({running}, timeout=_DRAIN_SECONDS)
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _run(settings: Settings, topics: Topics, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(_pool(settings))
        async with pool.acquire() as connection:
            for name in await migrate(connection):
                log.info("migrated", name=name)
        flow, decided = Flow(pool, settings, topics), asyncio.Event()
        broker = broker_for(flow, decided)
        await patiently("kafka", broker.start)
        stack.push_async_callback(broker.stop)
        address = await stack.enter_async_context(serve(settings, pool))
        async with asyncio.TaskGroup() as loops:
            loops.create_task(_clock_loop(flow, decided, stop))
            loops.create_task(_relay_loop(settings, decided, stop))
            ready(address)
            log.info("ready", http=address)
            await stop.wait()
            log.info("stopping")


def _connections(settings: Settings) -> asyncpg.Pool:
    return asyncpg.create_pool(settings.database_url, min_size=1, max_size=settings.database_connections)


@asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    pool = await patiently("postgres", lambda: _connections(settings))
    try:
        yield pool
    finally:
        await pool.close()


async def _clock_loop(flow: Flow, decided: asyncio.Event, stop: asyncio.Event) -> None:
    while not stop.is_set():
        done = await patiently("clock", flow.end_due)
        if done:
            decided.set()
        else:
            await pause(stop, flow.settings.clock_interval.total_seconds())


async def _relay_loop(settings: Settings, decided: asyncio.Event, stop: asyncio.Event) -> None:
    """Relays until told to stop, on a connection and a producer of its own; a fault rebuilds both."""
    while not stop.is_set():
        try:
            async with _relay(settings) as relay:
                while not stop.is_set():
                    decided.clear()
                    if not await relay.once():
                        await pause(decided, settings.relay_interval.total_seconds())
        except Exception:  # reported, and tried again for as long as it lasts
            log.exception("relay-interrupted")
            await pause(stop, settings.relay_interval.total_seconds())


@asynccontextmanager
async def _relay(settings: Settings) -> AsyncIterator[Relay]:
    connection = await asyncpg.connect(settings.database_url)
    try:
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            enable_idempotence=True,
            max_request_size=settings.topic_max_message_bytes,
            linger_ms=1,
        )
        await producer.start()
        try:
            yield Relay(connection, producer, settings)
        finally:
            await producer.stop()
    finally:
        await connection.close()
