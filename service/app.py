"""The composition root: settings, pool, broker, loops, web server; and how they stop."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from service import clients, metrics
from service.consumer import broker_for, lags, start
from service.flow import Flow, Relay, utc_now
from service.health import Health
from service.http import serve
from service.ops.books import Books
from service.ops.watching import Watch
from service.refusals import described
from service.retry import patiently, pause
from service.settings import Settings, Topics
from service.store import roles
from service.store.migrate import migrate
from service.tracing import UNTRACED, Tracing, from_environment
from service.web.door import Door

log = structlog.get_logger(__name__)

_DRAIN_SECONDS = 20
"""What is under way may take this long to end; a deployment's own limit is commonly 30."""

_ROUND_SECONDS = 240
"""A round of the relay waits for an absent broker so long; then connection and producer are made anew."""

_BATCH_BYTES = 262_144
"""How much goes to a partition at once: well below the megabyte that a broker takes unless it is told otherwise."""

_CLOSE_SECONDS = 5
_EXPECTED = (KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""What a server that is away makes of a call: one line in the log instead of a traceback."""

# A worker that is stopped or cut off must not hold for ever what others wait for: Postgres ends its session by itself.
# A relay is silent for as long as a round of it may take, so its session may be silent a little longer.
_SESSION = {
    "application_name": "subscription-cancellation",
    "idle_in_transaction_session_timeout": "30s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_RELAY_SESSION = {**_SESSION, "idle_session_timeout": f"{_ROUND_SECONDS + 60}s"}


async def run(settings: Settings, topics: Topics, ready: Callable[[str], None]) -> None:
    """Runs the service until SIGINT or SIGTERM; `ready` is told the HTTP address once it consumes.

    Raises:
        SettingsError: everybody could read the pages, or who may is not said rightly.
    """
    door = Door.of(settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    started = asyncio.Event()

    def began(address: str) -> None:
        started.set()
        ready(address)

    running = asyncio.create_task(_run(settings, topics, door, stop, began))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        if started.is_set():
            await asyncio.wait({running}, timeout=_DRAIN_SECONDS)
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _run(
    settings: Settings, topics: Topics, door: Door, stop: asyncio.Event, ready: Callable[[str], None]
) -> None:
    async with AsyncExitStack() as stack:
        tracing = await stack.enter_async_context(_tracing())
        pool = reading = await stack.enter_async_context(_pool(settings))
        if settings.database_reader_url is not None:
            reading = await stack.enter_async_context(_pool(settings, _reading))
        health, watch = Health(), Watch(pool, settings, utc_now)
        served = serve(settings, topics, pool, health, watch=watch, reading=reading, door=door)
        address = await stack.enter_async_context(served)
        await patiently("migrations", lambda: _migrate(pool, settings))
        flow, decided, drained = Flow(pool, settings, topics, tracing=tracing), asyncio.Event(), asyncio.Event()
        broker = broker_for(flow, decided, health)
        await patiently("kafka", lambda: start(broker, health))
        stack.push_async_callback(broker.stop)
        watch.lags = lambda: lags(broker, health)
        async with asyncio.TaskGroup() as loops:
            loops.create_task(_clock_loop(flow, decided, stop, health))
            loops.create_task(_relay_loop(settings, decided, drained, health, tracing))
            gc.freeze()  # what the start has made stays: no collection looks through it again while somebody waits
            ready(address)
            log.info("ready", http=address)
            await stop.wait()
            log.info("stopping")
            await broker.stop()
            drained.set()
            decided.set()


@asynccontextmanager
async def _tracing() -> AsyncIterator[Tracing]:
    provider = from_environment()
    try:
        yield Tracing(provider)
    finally:
        if provider is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await asyncio.to_thread(provider.shutdown)


async def _migrate(pool: asyncpg.Pool, settings: Settings) -> None:
    async with pool.acquire() as connection:
        applied = await migrate(connection)
        for name in applied:
            log.info("migrated", name=name)
        if applied:
            await roles.grant(connection, roles.Roles(*settings.database_roles))
        await roles.check_service(connection)


def _connections(settings: Settings) -> asyncpg.Pool:
    return _pool_of(settings, **clients.postgres(settings), min_size=1, max_size=settings.database_connections)


def _reading(settings: Settings) -> asyncpg.Pool:
    """For pages, by a user of their own; it connects when somebody asks, and what is away then is said there."""
    file = settings.database_reader_password_file
    return _pool_of(
        settings,
        dsn=settings.database_reader_url,
        password=None if file is None else lambda: file.read_text("utf-8").rstrip("\r\n"),
        min_size=0,
        max_size=1,
    )


def _pool_of(settings: Settings, **given: Any) -> asyncpg.Pool:  # noqa: ANN401  as asyncpg has them
    return asyncpg.create_pool(
        **given,
        timeout=settings.database_timeout.total_seconds(),
        command_timeout=settings.database_timeout.total_seconds(),
        server_settings=_SESSION,
        reset=_as_it_is,
    )


async def _as_it_is(_: object) -> None:
    """What is done on a connection of a pool ends with its transaction: there is nothing to ask the server to undo."""


@asynccontextmanager
async def _pool(
    settings: Settings, connect: Callable[[Settings], asyncpg.Pool] = _connections
) -> AsyncIterator[asyncpg.Pool]:
    pool = await patiently("postgres", lambda: connect(settings))
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.close()
        except _EXPECTED:  # a server that is away answers no goodbye
            pool.terminate()


async def _clock_loop(flow: Flow, decided: asyncio.Event, stop: asyncio.Event, health: Health) -> None:
    books = Books(flow.pool, flow.settings, flow.topics, flow.clock)
    while not stop.is_set():
        ended = await patiently("clock", flow.end_due, lambda: health.turn("clock"))
        metrics.succeeded("clock")
        if ended:
            decided.set()
        else:
            await patiently("housekeeping", flow.housekeep)
            await books.turn()
            await pause(stop, flow.settings.clock_interval.total_seconds())


async def _relay_loop(
    settings: Settings, decided: asyncio.Event, drained: asyncio.Event, health: Health, tracing: Tracing
) -> None:
    """Relays until all is drained, on a connection and a producer of its own; a fault rebuilds both."""
    while not drained.is_set():
        health.turn("relay")
        try:
            async with _relay(settings, tracing) as relay:
                while not drained.is_set():
                    decided.clear()
                    if not await _round(relay, health):
                        await pause(decided, settings.relay_interval.total_seconds())
                while await _round(relay, health):  # what the last batch has left
                    pass
        except _EXPECTED as error:
            metrics.RETRIES.labels("relay").inc()
            log.warning("relay-interrupted", error=described(error))
            await pause(drained, settings.relay_interval.total_seconds())
        except Exception:  # reported, and tried again for as long as it lasts
            metrics.RETRIES.labels("relay").inc()
            log.exception("relay-interrupted")
            await pause(drained, settings.relay_interval.total_seconds())


async def _round(relay: Relay, health: Health) -> int:
    async with asyncio.timeout(_ROUND_SECONDS):
        count = await relay.once()
    health.relayed()
    metrics.succeeded("relay")
    return count


@asynccontextmanager
async def _relay(settings: Settings, tracing: Tracing = UNTRACED) -> AsyncIterator[Relay]:
    limit = settings.database_timeout.total_seconds()
    connection = await clients.connect(settings, timeout=limit, command_timeout=limit, server_settings=_RELAY_SESSION)
    try:
        producer = AIOKafkaProducer(
            **clients.kafka(settings),
            enable_idempotence=True,
            max_request_size=settings.largest_record,
            max_batch_size=_BATCH_BYTES,
            linger_ms=1,
        )
        try:
            await producer.start()
            yield Relay(connection, producer, settings, tracing)
        finally:
            await _stop(producer)
    finally:
        connection.terminate()  # nothing is under way on it, and a server that is away answers no goodbye


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stops a producer; what it cannot get rid of in time is dropped, for the next one sends it all again."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await producer.stop()
    except TimeoutError:
        producer._sender.sender_task.cancel()  # noqa: SLF001  stop() alone waits until the broker is back
        await producer.client.close()
