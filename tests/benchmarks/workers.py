"""The processes that are compared: `python -m tests.benchmarks.workers per-event|floor`.

* per event: the same decisions and tables, one transaction per event, the partitions side by side.
* floor: the same bytes in, the same number and size of rows locked, read and written in the same
  batches, the same bytes out, and nothing decided.

Both run in the service's own composition root, with its relay and its loops, so that nothing else differs.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from unittest.mock import patch
from zlib import crc32

import structlog
import uvloop
from aiokafka import ConsumerRebalanceListener
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from service import app
from service.cli.terminal import log_lines
from service.consumer import _incoming as incoming
from service.flow import Flow
from service.health import Health
from service.messages.envelope import Headers
from service.retry import patiently
from service.settings import load
from service.store import inbox, outbox
from service.store.records import Incoming, Outgoing
from tests.benchmarks.workload import MODEL, Model, story

_LOCK = """
select s.subscription_id, s.state, s.published
from subscription s
inner join unnest($1::text []) as k (id) on s.tenant_id = 'default' and s.subscription_id = k.id
order by s.subscription_id
for update of s
"""
_SAVE = """
update subscription s
set state = n.state::json, sequence = s.sequence + n.outcomes, published = n.published, updated_at = $5
from unnest($1::text [], $2::text [], $3::bytea [], $4::integer []) as n (subscription_id, state, published, outcomes)
where s.tenant_id = 'default' and s.subscription_id = n.subscription_id
"""
_WORKERS = 12


@dataclass(frozen=True, slots=True)
class Canned:
    """What each event of the workload leads to, as the service would write it for the model subscription."""

    numbered: dict[tuple[str, int], list[Outgoing]]
    snapshot: Outgoing

    @classmethod
    def of(cls, model: Model) -> Canned:
        """Has the service decide each story once."""
        numbered, snapshot = {}, None
        for name in ("cancel", "move", "revoke", "race", "renew"):
            events = story(name, MODEL)
            for event, led_to in zip(events, model.outcomes(events), strict=True):
                kind = dict(event.headers)["ce_type"].decode()
                variant = 1 if name == "renew" else 0
                numbered[kind, variant] = [r for r in led_to if dict(r.headers)["ce_type"] != b"subscription-timeline"]
                snapshot = led_to[-1]
        assert snapshot is not None
        return cls(numbered, snapshot)

    def outcomes(self, record: Incoming) -> list[Outgoing]:
        """Of one event; an invoice that is issued races a cancellation every other time."""
        kind, key = dict(record.headers)["ce_type"] or b"", record.key or b""
        variant = crc32(key) % 2 if kind == b"invoice-issued" else int(kind == b"subscription-renewed")
        return self.numbered[kind.decode(), variant]


class Floor(Flow):
    """Moves all the bytes and decides nothing."""

    canned: Canned

    async def process(self, records: Sequence[Incoming]) -> int:
        """The statements of the service's own transaction, with what they carry made up."""
        now, group = self.clock(), self.settings.consumer_group
        published: list[Outgoing] = []
        async with self.pool.acquire() as connection, connection.transaction():
            following = await inbox.lock_offsets(connection, group, {(r.topic, r.partition) for r in records})
            unseen = [r for r in records if r.offset >= following[r.topic, r.partition]]
            claims = [(_digest(dict(r.headers)["ce_id"] or b""), _digest(r.value or b"")) for r in unseen]
            await inbox.claim(connection, claims, now)
            keys = sorted({(record.key or b"").decode() for record in unseen})
            rows = await connection.fetch(_LOCK, keys)
            for record in unseen:
                led_to = self.canned.outcomes(record)
                published += [Outgoing(o.topic, record.key, o.value, _caused(o, record), now) for o in led_to]
            told = self.canned.snapshot
            published += [Outgoing(told.topic, key.encode(), told.value, told.headers, now) for key in keys]
            states, digests = [row["state"] for row in rows], [_digest(row["state"].encode()) for row in rows]
            await connection.execute(_SAVE, keys, states, digests, [4] * len(rows), now)
            await connection.copy_records_to_table(
                "fact",
                records=[
                    ("default", (r.key or b"").decode(), "benchmark", str(r.offset), r.topic, now, now, r.value, 0, d)
                    for r, (d, _) in zip(unseen, claims, strict=True)
                ],
                columns=[
                    *("tenant_id", "subscription_id", "source", "event_id", "type", "time", "recorded_at", "data"),
                    *("policies", "digest"),
                ],
            )
            await outbox.append(connection, published, self.settings.relay_shards)
            following.update({(r.topic, r.partition): r.offset + 1 for r in unseen})
            await inbox.advance_offsets(connection, group, following)
        return len(published)


def per_event(flow: Flow, decided: asyncio.Event, health: Health) -> KafkaBroker:
    """One message, one transaction; as many at a time as there are partitions, each partition in order."""
    settings = flow.settings
    broker = KafkaBroker(settings.kafka_bootstrap_servers, allow_auto_create_topics=False, logger=None)

    async def receive(record: Any) -> None:  # noqa: ANN401  what FastStream hands over
        one = incoming(record)
        if await patiently("process", lambda: flow.process([one])):
            decided.set()

    for topic in flow.topics.inputs:  # one each: FastStream wants it so where several are handled at a time
        subscriber = broker.subscriber(
            topic,
            group_id=settings.consumer_group,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            max_workers=_WORKERS,
            parser=_as_it_is,
            decoder=_undecoded,
            listener=_Logged(health),
        )
        subscriber(receive)
    return broker


async def _unwatched(broker: KafkaBroker, _: Health) -> None:
    await broker.start()


class _Logged(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Says when consuming begins, as the service does."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def on_partitions_revoked(self, revoked: object) -> None:
        """Nothing to hand over."""

    async def on_partitions_assigned(self, assigned: object) -> None:
        """From here on the time counts."""
        self._health.joined = True
        structlog.get_logger().info("partitions-assigned", partitions=str(assigned))


async def _as_it_is(record: Any) -> Any:  # noqa: ANN401  what FastStream hands over
    return KafkaAckableMessage(body=record, raw_message=record, consumer=None)


async def _undecoded(message: Any) -> Any:  # noqa: ANN401  what FastStream hands over
    return message.raw_message


def _caused(outcome: Outgoing, record: Incoming) -> Headers:
    """The outcome's headers, naming the event that is in hand."""
    cause = dict(record.headers)["ce_id"]
    return [(name, cause if name == "ce_causationid" else value) for name, value in outcome.headers]


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()


def main(kind: str) -> None:
    """Runs one of them as the service is run."""
    settings, topics = load()
    log_lines()
    with ExitStack() as stack:
        if kind == "floor":
            Floor.canned = Canned.of(Model())
            stack.enter_context(patch.object(app, "Flow", Floor))
        else:
            settings = settings.model_copy(update={"database_connections": _WORKERS + 2})
            stack.enter_context(patch.object(app, "broker_for", per_event))
            stack.enter_context(patch.object(app, "start", _unwatched))
        uvloop.run(app.run(settings, topics, lambda _: None))


if __name__ == "__main__":
    main(sys.argv[1])
