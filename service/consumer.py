"""FastStream at the door: raw batches in, in order, each retried until it is decided.

The framework's own parsing is replaced by one that cannot fail, because a record that breaks it
takes its whole batch along unseen; reading records is the work of `service.messages.envelope`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Any, TypeAlias

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.security import BaseSecurity, SASLOAuthBearer, SASLScram256, SASLScram512

from service import clients, lenient, metrics
from service.flow import Flow
from service.health import Health
from service.refusals import described
from service.retry import patiently
from service.settings import Settings
from service.store import inbox, outbox
from service.store.records import Incoming

log = structlog.get_logger(__name__)

Raw: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"

_DAY_MS = 24 * 60 * 60 * 1000
_FETCH_MS = 50
"""How long the broker may hold a fetch that finds nothing. While a batch is decided, the client asks for the partitions
that are at their ends; what has come for the others meanwhile waits until that fetch is back."""
_FETCH_BYTES = 262_144
"""How much is held of each partition that is far behind; a larger record comes alone."""
_CATCH_UP_SECONDS = 0.5
_FULL_SECONDS = 0.5
_COUNTED_SECONDS = 1.0


def broker_for(flow: Flow, decided: asyncio.Event, health: Health) -> KafkaBroker:
    """A broker with one batch subscriber that feeds `flow`; `decided` is set when there is something to relay.

    A batch that cannot be decided (the database is away) is tried again in place. The poll interval
    is a day, so that an outage does not cost the worker its place in the group; a worker that is
    alive but stuck is for the watchdog to report.
    """
    lenient.install()
    settings = flow.settings
    broker = KafkaBroker(**_connection(settings), consumer_only=True, allow_auto_create_topics=False, logger=None)
    door = _Door(flow, decided, health)
    subscriber = broker.subscriber(
        *flow.topics.inputs,
        batch=True,
        group_id=settings.consumer_group,
        group_instance_id=settings.instance_id,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        partition_assignment_strategy=(StickyPartitionAssignor,),
        session_timeout_ms=8_000,
        heartbeat_interval_ms=2_000,
        max_poll_interval_ms=_DAY_MS,
        max_records=settings.batch_max_records,
        batch_timeout_ms=10,
        fetch_max_wait_ms=_FETCH_MS,
        max_partition_fetch_bytes=_FETCH_BYTES,
        isolation_level="read_committed",
        listener=_Assignment(flow, door, health),
        parser=door.open,
        decoder=_undecoded,
    )
    door.subscriber = subscriber
    subscriber(door.receive)
    return broker


def _connection(settings: Settings) -> dict[str, Any]:
    """The arguments of any client, as FastStream has them: it takes a string for one server, and keys as objects."""
    given = clients.kafka(settings)
    servers = given["bootstrap_servers"].replace(" ", "").split(",")
    tls, name, password = given["ssl_context"], given["sasl_plain_username"], given["sasl_plain_password"]
    security: BaseSecurity
    match settings.kafka_keys.sasl_mechanism:
        case "SCRAM-SHA-512":
            security = SASLScram512(name, password, tls)
        case "SCRAM-SHA-256":
            security = SASLScram256(name, password, tls)
        case "OAUTHBEARER":
            security = SASLOAuthBearer(tls)
        case None:
            security = BaseSecurity(tls)
    tokens = given["sasl_oauth_token_provider"]
    return {"bootstrap_servers": servers, "security": security, "sasl_oauth_token_provider": tokens}


async def start(broker: KafkaBroker, health: Health) -> None:
    """Starts consuming; what a start that failed has opened is closed again."""
    try:
        await broker.start()
    except BaseException:
        await broker.stop()
        raise
    for subscriber in broker.subscribers:
        _watch(subscriber.consumer, health)  # type: ignore[attr-defined]  # their common type has none


def _watch(consumer: Any, health: Health) -> None:  # noqa: ANN401  aiokafka ships no types
    """Counts each poll that comes back without an error as a turn: one that is fenced off polls and gets none."""
    polled = consumer.getmany

    async def getmany(*partitions: TopicPartition, **options: object) -> Any:  # noqa: ANN401
        try:
            records = await polled(*partitions, **options)
        except KafkaError as error:  # FastStream tries again, and says nothing
            metrics.RETRIES.labels("consumer").inc()
            log.warning("consumer-interrupted", error=described(error))
            raise
        health.turn("consumer")
        metrics.succeeded("consumer")
        return records

    consumer.getmany = getmany
    health.turn("consumer")


async def lags(broker: KafkaBroker, health: Health) -> dict[tuple[str, int], int]:
    """How many records of each partition of this worker are still to be decided, those in hand among them."""
    found: dict[tuple[str, int], int] = {}
    for consumer in [subscriber.consumer for subscriber in broker.subscribers]:  # type: ignore[attr-defined]
        if consumer is None:
            continue
        held = consumer.assignment()
        for tp, end in (await consumer.end_offsets(held) if held else {}).items():
            if tp in consumer.assignment():
                found[tp.topic, tp.partition] = max(0, end - await consumer.position(tp)) + health.in_hand[tuple(tp)]
    return found


class _Door:
    """The handler and the parser of the subscriber, which share its consumer."""

    def __init__(self, flow: Flow, decided: asyncio.Event, health: Health) -> None:
        self.flow = flow
        self.subscriber: Any = None
        self._decided = decided
        self._health = health
        self._counted_at = 0.0

    async def open(self, records: tuple[Raw, ...]) -> KafkaAckableMessage:
        """The batch as it is: no header and no value is looked at."""
        return KafkaAckableMessage(body=records, raw_message=records, consumer=self.subscriber.consumer)

    async def receive(self, records: Sequence[Any]) -> None:
        """Decides a batch, then tells Kafka how far we are, for lag tools and autoscaling only."""
        together = [_incoming(record) for record in [*records, *await self._lives_before(records)]]
        batch = in_order(together, self.flow.topics.before_commands)
        began = monotonic()
        self._health.in_hand = Counter((record.topic, record.partition) for record in batch)
        await self._room()
        if await patiently("process", lambda: self.flow.process(batch), self._turn):
            self._decided.set()
        self._health.in_hand.clear()
        metrics.BATCH_RECORDS.observe(len(batch))
        metrics.BATCH_SECONDS.observe(monotonic() - began)
        following = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in batch}
        consumer = self.subscriber.consumer
        if consumer is None:
            return
        held = consumer.assignment()
        try:
            await consumer.commit({tp: offset for tp, offset in following.items() if tp in held})
        except KafkaError as error:
            log.info("kafka-commit-skipped", error=str(error))

    def _turn(self) -> None:
        self._health.turn("consumer")

    async def _room(self) -> None:
        """Waits while the outbox is full: what cannot be published is not to pile up in the database."""
        if monotonic() - self._counted_at < _COUNTED_SECONDS:
            return
        while not await patiently("outbox", self._has_room, self._turn):
            metrics.OUTBOX_FULL.inc()
            log.warning("outbox-full", limit=self.flow.settings.outbox_max_records)
            await asyncio.sleep(_FULL_SECONDS)
        self._counted_at = monotonic()

    async def _has_room(self) -> bool:
        async with self.flow.pool.acquire() as connection:
            return await outbox.has_room(connection, self.flow.settings.outbox_max_records)

    async def _lives_before(self, records: Sequence[Raw]) -> list[Raw]:
        """What the topics that bear on commands already hold when commands are in hand.

        A request sent right after its invoices would otherwise often be fetched before them. The
        books come out the same, but they would be told in two steps where one is enough. Only the
        partitions this worker holds are asked, only as far as a batch may grow, and by where they
        ended when the broker last said so: to ask it each time would wait for the fetch under way.
        """
        earlier, consumer = self.flow.topics.before_commands, self.subscriber.consumer
        room = self.flow.settings.batch_max_records - len(records)
        partitions = [tp for tp in consumer.assignment() if tp.topic in earlier]
        if room <= 0 or not partitions or all(record.topic in earlier for record in records):
            return []
        found: list[Raw] = []
        try:
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                ends = {tp: end for tp in partitions if (end := consumer.highwater(tp)) is not None}
                if unknown := [tp for tp in partitions if tp not in ends]:  # nothing has been fetched of them yet
                    ends |= await consumer.end_offsets(unknown)
                while len(found) < room:
                    behind = [tp for tp in partitions if await consumer.position(tp) < ends[tp]]
                    if not behind:
                        break
                    more = await consumer.getmany(*behind, timeout_ms=20, max_records=room - len(found))
                    found += [record for batch in more.values() for record in batch]
        except (TimeoutError, KafkaError) as error:
            log.info("not-caught-up", error=described(error))
        return found


class _Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """On assignment a worker goes on where the database says, whatever Kafka has committed."""

    def __init__(self, flow: Flow, door: _Door, health: Health) -> None:
        self._flow = flow
        self._door = door
        self._health = health

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Nothing to hand over: what is under way is decided or not by the lock on the offset row."""
        self._health.joined = False
        log.info("partitions-revoked", partitions=sorted(map(tuple, revoked)))

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Seeks to the stored offsets."""
        partitions = [(partition.topic, partition.partition) for partition in assigned]
        offsets = await patiently("assignment", lambda: self._offsets(partitions))
        for (topic, number), offset in offsets.items():
            self._door.subscriber.consumer.seek(TopicPartition(topic, number), offset)
        self._health.joined = True
        metrics.REBALANCES.inc()
        log.info("partitions-assigned", partitions=sorted(partitions))

    async def _offsets(self, partitions: list[inbox.Partition]) -> dict[inbox.Partition, int]:
        async with self._flow.pool.acquire() as connection:
            return await inbox.read_offsets(connection, self._flow.settings.consumer_group, partitions)


def in_order(records: Sequence[Incoming], earlier: Sequence[str]) -> list[Incoming]:
    """The partitions' records as one stream by time, each partition in its own order; at one time, commands last."""
    latest: dict[inbox.Partition, int] = {}
    times: list[tuple[int, bool]] = []
    for record in records:
        partition = (record.topic, record.partition)
        latest[partition] = max(latest.get(partition, 0), record.timestamp)
        times.append((latest[partition], record.topic not in earlier))
    return [record for _, record in sorted(zip(times, records, strict=True), key=lambda timed: timed[0])]


async def _undecoded(message: KafkaAckableMessage) -> Any:  # noqa: ANN401  what FastStream hands to the handler
    return message.raw_message


def _incoming(record: Raw) -> Incoming:
    return Incoming(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        value=record.value,
        headers=record.headers,
    )
