"""What is measured by looking: lag, asked of Kafka, and what waits, read from the database.

A worker looks every few seconds. Whoever asks at `/metrics` or at the operations page gets what was seen last: however
many ask, nobody waits, and the database is asked no more often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

import asyncpg
import structlog
from aiokafka.errors import ConsumerStoppedError, KafkaError
from prometheus_client import Gauge

from service import metrics
from service.refusals import described
from service.retry import patiently, pause
from service.settings import Settings
from service.store import figures

log = structlog.get_logger(__name__)

COUNTED_TO = 10_000
"""Where counting rows stops."""
_EVERY_SECONDS = 4.0
_PATIENCE_SECONDS = 3.0
_AGES = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))

Lags: TypeAlias = Callable[[], Awaitable[Mapping[tuple[str, int], int]]]
"""How many records of each partition of this worker are still to be decided."""


class Watch:
    """Brings the gauges up to date; `lags` is set once there is a consumer, `closing` when nobody is to look any more.

    What cannot be read keeps the value it had, and `database_up` or `kafka_up` says that it is old.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.lags: Lags | None = None
        self.closing, self.seen = asyncio.Event(), asyncio.Event()
        self._pool, self._settings, self._clock = pool, settings, clock
        metrics.COUNTED_TO.set(COUNTED_TO)

    async def keep_looking(self) -> None:
        """Looks again and again until it is closing."""
        while not self.closing.is_set():
            await patiently("figures", self.look)
            await pause(self.closing, _EVERY_SECONDS)

    async def look(self) -> None:
        """Looks once; a server that is away is no failure. Whatever fails, who asks waits for no second look."""
        try:
            await asyncio.gather(self._waiting(), self._lag())
        finally:
            self.seen.set()

    async def _waiting(self) -> None:
        now, limits = self._clock(), (self._settings.outbox_max_records, COUNTED_TO)
        try:
            async with (
                asyncio.timeout(_PATIENCE_SECONDS),
                self._pool.acquire() as connection,
                connection.transaction(readonly=True),
            ):
                found = await figures.read(connection, now, _AGES, limits)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if metrics.value(metrics.DATABASE_UP):  # told once, when it goes
                log.info("figures-not-read", error=described(error))
            metrics.DATABASE_UP.set(0)
            return
        metrics.DATABASE_UP.set(1)
        for count, age, waiting in (
            (metrics.OUTBOX_ROWS, metrics.OUTBOX_AGE, found.outbox),
            (metrics.HELD, metrics.HELD_AGE, found.held),
            (metrics.DUE, metrics.DUE_AGE, found.due),
        ):
            count.set(waiting.count)
            _set_age(age, now, waiting.since)
        for bound, number in zip(metrics.AGES, found.open, strict=True):
            metrics.OPEN.labels(bound).set(number)
        _set_age(metrics.OPEN_AGE, now, found.oldest_open)
        metrics.ENDING_NEXT_DAY.set(found.ending)
        metrics.OUT_OF_BALANCE.set(found.books.out_of_balance)
        metrics.BOOKS_ROUND.set(found.books.verified)
        metrics.BOOKS_LAST_ROUND.set(found.books.verified_before or 0)
        _set_age(metrics.BOOKS_ROUND_AGE, now, found.books.began_at)

    async def _lag(self) -> None:
        if self.lags is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                found = await self.lags()
        except (OSError, TimeoutError, KafkaError, ConsumerStoppedError) as error:
            if metrics.value(metrics.KAFKA_UP):
                log.info("lag-not-read", error=described(error))
            metrics.KAFKA_UP.set(0)
            return
        metrics.KAFKA_UP.set(1)
        metrics.LAG.clear()  # what was taken from this worker is another's to report
        for (topic, partition), records in found.items():
            metrics.LAG.labels(topic, partition).set(records)


def _set_age(gauge: Gauge, now: datetime, since: datetime | None) -> None:
    gauge.set(0 if since is None else max(0.0, (now - since).total_seconds()))
