"""The way of a message: Kafka in, one transaction, Kafka out.

    receive   a batch of raw records from Kafka, retried for as long as a fault lasts
    process   the one transaction: skip what was seen, decide, write state and outbox, advance offsets
    relay     the outbox to Kafka, in order for each key, deleted once acknowledged
    end_due   what the clock brings about: sealed ends, last periods that begin, waits that are over
    housekeep what is past its time is cleared away
    resume    what waits for a subscription that was held because a decision failed, after the fix

What this promises: state and outcome are decided exactly once; outcomes are published at least
once, in order per subscription once repeated ids are dropped, and a repeat has the same id. It
rests on the transaction alone. Kafka's committed offsets are for lag tools; on assignment a worker
goes on where the database says, and the lock on the offset row makes a worker that was thought
dead see what has been done in the meantime.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from time import monotonic

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from service import metrics
from service.arrivals import Arrival
from service.batch import Batch, read
from service.settings import Settings, Topics
from service.store import housekeeping, inbox, outbox, policies, subscriptions
from service.store.records import Incoming, Outgoing
from service.store.subscriptions import Held, Key, Parked
from service.tracing import UNTRACED, Tracing
from service.turns import in_turns

log = structlog.get_logger(__name__)

_LONGEST_TRANSACTION = 10.0
"""Seconds of deciding in one transaction."""

_DUE_AT_ONCE = 100
"""Ends in one transaction: few, so that requests find their turn when very many end at the same midnight."""

_HOUR = timedelta(hours=1)

_partition = lru_cache(maxsize=8192)(DefaultPartitioner())
"""The partition of a key, as every client of Kafka reckons it; what has no key may go to any."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of a running service; tests pass their own."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Flow:
    """The movements, on one pool of connections."""

    pool: asyncpg.Pool
    settings: Settings
    topics: Topics
    clock: Clock = utc_now
    tracing: Tracing = UNTRACED

    async def process(self, records: Sequence[Incoming]) -> int:
        """Decides a batch; returns how many outcomes and dead letters it left in the outbox.

        In one transaction, or in several where deciding takes long. Running it again with the same records does
        nothing: the offsets say so.
        """
        published, left = 0, records
        while left:
            more, left = await self._process(left)
            published += more
        return published

    async def _process(self, records: Sequence[Incoming]) -> tuple[int, Sequence[Incoming]]:
        """One transaction: what it has published, and the records that it has left for the next."""
        now, group, began = self.clock(), self.settings.consumer_group, monotonic()
        async with self.pool.acquire() as connection, connection.transaction():
            following = await inbox.lock_offsets(connection, group, {(r.topic, r.partition) for r in records})
            unseen = [r for r in records if r.offset >= following[r.topic, r.partition]]
            arrivals = [read(record, now) async for record in in_turns(unseen)]
            claimed = await inbox.claim(connection, (a.claim for a in arrivals if a.claim is not None), now)
            keys = {arrival.key for arrival in arrivals if arrival.key is not None}
            locked = await subscriptions.lock(connection, keys, now)
            activated = {a.key for a in arrivals if a.activates and a.key is not None and locked.is_unheard_of(a.key)}
            waiting = await subscriptions.unpark(connection, activated)
            tenants = {arrival.tenant for arrival in arrivals if arrival.tenant is not None}
            set_before = await policies.read(connection, tenants)
            batch = self._batch(now, set_before, locked, claimed, waiting)
            taken = await _take(batch, arrivals)
            await self._write(connection, batch)
            following.update({(r.topic, r.partition): r.offset + 1 for r in unseen[:taken]})
            await inbox.advance_offsets(connection, group, following)
        metrics.TRANSACTION_SECONDS.labels("batch").observe(monotonic() - began)
        batch.count()
        for labels, number in Counter(arrival.labels for arrival in arrivals[:taken]).items():
            metrics.CONSUMED.labels(*labels).inc(number)
        self.tracing.decided(group, arrivals[:taken], began)
        return len(batch.published), unseen[taken:]

    async def end_due(self, limit: int = _DUE_AT_ONCE) -> int:
        """Brings about what the clock has made due, oldest first; returns how much there was, at most twice `limit`.

        A scan for everything up to now, so that a week of downtime leaves nothing unended.
        """
        now, began = self.clock(), monotonic()
        async with self.pool.acquire() as connection, connection.transaction():
            locked = await subscriptions.lock_due(connection, now, limit)
            set_before = await policies.read(connection, {tenant for tenant, _ in locked.known})
            batch = self._batch(now, set_before, locked)
            async for subscription in in_turns(filter(None, locked.known.values())):
                batch.tick(subscription)
            await self._write(connection, batch)
        metrics.TRANSACTION_SECONDS.labels("clock").observe(monotonic() - began)
        batch.count()
        async with self.pool.acquire() as connection, connection.transaction():
            keys = await subscriptions.expired(connection, now, limit)
            waited = await subscriptions.lock(connection, keys, now)
            unheard = [key for key in keys if waited.is_unheard_of(key)]
            set_before = await policies.read(connection, {tenant for tenant, _ in keys})
            batch = self._batch(now, set_before, waited)
            for parked in (await subscriptions.unpark_expired(connection, unheard, now)).values():
                batch.expire(parked)
            await self._write(connection, batch)
        batch.count()
        return len(locked.known) + len(unheard)

    async def housekeep(self) -> None:
        """Clears away what is past its time, if no other worker has done so lately."""
        now, settings = self.clock(), self.settings
        async with self.pool.acquire() as connection:
            try:
                async with connection.transaction():
                    if await housekeeping.rotate_inbox(connection, now, now - settings.remembered):
                        log.info("inbox-rotated")
            except asyncpg.LockNotAvailableError:
                log.info("inbox-not-rotated", because="claims under way take long; it is tried again")
            async with connection.transaction():
                gone = now - 2 * settings.dead_letter_retention
                await housekeeping.forget_fates(connection, now, now - _HOUR, gone)

    async def resume(self, key: Key) -> Held | None:
        """Decides what has waited since a subscription was held, in order, in one transaction.

        Returns why it is held again, if it is: what came before the new failure has then been decided.
        """
        now = self.clock()
        async with self.pool.acquire() as connection, connection.transaction():
            locked = await subscriptions.lock(connection, [key], now)
            if key not in locked.held or key in locked.unreadable:
                return locked.held.get(key)
            waiting = await subscriptions.unpark(connection, [key])
            batch = self._batch(now, await policies.read(connection, [key[0]]), locked, {}, waiting)
            batch.resume(key)
            await self._write(connection, batch)
        batch.count()
        return batch.held[key]

    def _batch(
        self,
        now: datetime,
        set_before: policies.Policies,
        locked: subscriptions.Locked,
        claimed: dict[bytes, set[bytes]] | None = None,
        waiting: dict[Key, list[Parked]] | None = None,
    ) -> Batch:
        batch = Batch(
            self.settings, self.topics, now, set_before, locked.known, claimed, waiting, locked.digests, locked.held
        )
        for key, error in locked.unreadable.items():
            batch.hold(key, error)
        return batch

    async def _write(self, connection: asyncpg.Connection, batch: Batch) -> None:
        async for key in in_turns(batch.undrawn):
            batch.draw(key)
        await subscriptions.save(connection, batch.changed, batch.digests, batch.now)
        await subscriptions.keep_facts(connection, batch.facts)
        await subscriptions.park(connection, batch.parked)
        await subscriptions.hold(connection, batch.held)
        await inbox.release(connection, batch.released)
        await policies.add(connection, batch.policies, batch.now)
        await outbox.append(connection, batch.published, self.settings.relay_shards)


async def _take(batch: Batch, arrivals: Sequence[Arrival]) -> int:
    """Takes arrivals, at least one, for as long as a transaction may last; returns how many."""
    began = monotonic()
    async for number, arrival in in_turns(enumerate(arrivals)):
        if number and monotonic() - began > _LONGEST_TRANSACTION:
            batch.leave(arrivals[number:])
            return number
        batch.take(arrival)
    return len(arrivals)


class Relay:
    """Moves the outbox to Kafka. One relay at a time holds a shard, by a lock that goes with its connection."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        producer: AIOKafkaProducer,
        settings: Settings,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._connection = connection
        self._tracing = tracing
        self._producer = producer
        self._settings = settings
        self._held: set[int] = set()

    async def once(self) -> int:
        """Publishes the oldest records of the shards it holds; returns how many.

        They are sent, all acknowledged, then deleted. What fails in between is sent again, with the same ids. A batch
        goes out only once the one before it of its partition is acknowledged: a producer that gives a batch up still
        sends what has been queued behind it.
        """
        wanted = [shard for shard in range(self._settings.relay_shards) if shard not in self._held]
        self._held.update(await outbox.hold(self._connection, wanted) if wanted else ())
        began = monotonic()
        records = await outbox.pending(self._connection, sorted(self._held), self._settings.relay_max_records)
        for wave in await self._waves(record for _, record in records):
            acknowledgements = [
                await self._producer.send_batch(batch, topic, partition=partition)
                for (topic, partition), batch in wave.items()
            ]
            for acknowledgement in acknowledgements:
                await acknowledgement
        await outbox.delete(self._connection, [number for number, _ in records])
        if records:
            metrics.PUBLISH_SECONDS.observe(monotonic() - began)
        for topic, number in Counter(record.topic for _, record in records).items():
            metrics.PUBLISHED.labels(topic).inc(number)
        self._tracing.published([record for _, record in records], began)
        return len(records)

    async def _waves(self, records: Iterable[Outgoing]) -> list[dict[tuple[str, int], BatchBuilder]]:
        """The records in order, as batches of partitions; those of one partition follow each other in the waves."""
        partitions: dict[str, tuple[int, ...]] = {}
        filling: dict[tuple[str, int], tuple[int, BatchBuilder]] = {}
        waves: list[dict[tuple[str, int], BatchBuilder]] = []
        for record in records:
            if (of_topic := partitions.get(record.topic)) is None:
                of_topic = partitions[record.topic] = tuple(sorted(await self._producer.partitions_for(record.topic)))
            place = record.topic, _partition(record.key, of_topic, of_topic)
            number, batch = filling.get(place, (-1, None))
            said = {"key": record.key, "value": record.value, "headers": list(record.headers)}
            if batch is None or batch.append(timestamp=None, **said) is None:
                number, batch = filling[place] = number + 1, self._producer.create_batch()
                batch.append(timestamp=None, **said)
                if number == len(waves):
                    waves.append({})
                waves[number][place] = batch
        return waves
