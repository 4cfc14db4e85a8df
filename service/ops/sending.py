"""Events that are sent to the service, as any producer would send them: read first as the service will read them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from service import clients
from service.messages.envelope import LARGEST_VALUE, Envelope, Headers, decode
from service.schemas.asyncapi import topic_of
from service.settings import Settings, Topics

SUPPORT = "/support"
"""The source of what is asked for by hand."""
_JSON, _STRUCTURED = "application/json", "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Event:
    """A record that is to go out; `timestamp` in milliseconds, for an event that says no time of its own."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    timestamp: int

    def read(self) -> Envelope:
        """What the service will make of it.

        Raises:
            UnreadableError: nothing; the message says why.
        """
        return decode(self)

    @property
    def structured(self) -> Event:
        """An event in binary mode as one in structured mode: attributes and data in one value."""
        said = {name: (value or b"").decode() for name, value in self.headers}
        attributes = {name.removeprefix("ce_"): text for name, text in said.items() if name.startswith("ce_")}
        whole = {**attributes, "datacontenttype": said["content-type"], "data": json.loads(self.value)}
        value = json.dumps(whole, ensure_ascii=False).encode()
        return replace(self, value=value, headers=[("content-type", _STRUCTURED.encode())])

    @property
    def document(self) -> dict[str, Any]:
        """The record for people and programs."""
        return {
            "topic": self.topic,
            "key": self.key.decode(),
            "headers": {name: (value or b"").decode() for name, value in self.headers},
            "value": json.loads(self.value),
        }


@dataclass(frozen=True, slots=True)
class Named:
    """Who an event is; `time` is when what it says came about, by default when it is sent."""

    source: str
    id: str
    type: str
    time: datetime | None = None


class SendingError(Exception):
    """Nothing can be sent there; the message says why."""


def event(topics: Topics, named: Named, data: Mapping[str, Any], now: datetime) -> Event:
    """An event about a subscription in binary mode."""
    value = json.dumps(data, ensure_ascii=False).encode(errors="surrogatepass")
    return written(topics, named, str(data.get("subscription_id", "")), value, now)


def written(topics: Topics, named: Named, subscription: str, value: bytes, now: datetime) -> Event:
    """An event about a subscription whose data is written already."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": named.id,
        "ce_source": named.source,
        "ce_type": named.type,
        "ce_subject": subscription,
        "content-type": _JSON,
    }
    if named.time is not None:
        attributes["ce_time"] = named.time.astimezone(UTC).isoformat(timespec="milliseconds")
    headers = [(name, value.encode()) for name, value in attributes.items()]
    return Event(topics.named(topic_of(named.type)), subscription.encode(), value, headers, milliseconds(now))


@asynccontextmanager
async def producing(settings: Settings, largest: int = LARGEST_VALUE + 100_000) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of which every record acknowledged is on all replicas in sync, once; `largest` in bytes.

    Raises:
        KafkaError: there is no Kafka.
    """
    producer = AIOKafkaProducer(
        **clients.kafka(settings),
        enable_idempotence=True,
        max_request_size=largest,
        max_batch_size=262_144,
        linger_ms=5,
    )
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


async def cluster(settings: Settings, wanted: Iterable[str]) -> str:
    """The id of the Kafka cluster, once it is sure that it has the topics that are wanted.

    Raises:
        SendingError: it lacks one of them.
        KafkaError: there is no Kafka.
    """
    admin = AIOKafkaAdminClient(**clients.kafka(settings))
    await admin.start()
    try:
        if missing := set(wanted) - set(await admin.list_topics()):
            topic = min(missing)
            raise SendingError(
                f"Kafka has no topic {topic}, or hides it from this user: `python -m service topics` creates it."
            )
        return str((await admin.describe_cluster())["cluster_id"])
    finally:
        await admin.close()


async def send(settings: Settings, sent: Event) -> None:
    """Sends one event and waits until Kafka has it.

    Raises:
        SendingError: its topic is missing.
        KafkaError: it has not.
    """
    await cluster(settings, [sent.topic])
    async with producing(settings) as producer:
        await producer.send_and_wait(sent.topic, sent.value, sent.key, headers=list(sent.headers))


def milliseconds(instant: datetime) -> int:
    """An instant as Kafka writes it."""
    return int(instant.timestamp() * 1000)
