"""Sends events to Kafka and reads topics, in place of kcat where there is none.

    python -m service.demo.cat HOST:PORT send < service/demo/morning.jsonl
    python -m service.demo.cat HOST:PORT read credit-adjustment cancellation-status

Any client can do the same: the value is a CloudEvent as JSON, the header `content-type` says so, and the key keeps a
subscription's events in order.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from service import clients
from service.demo.morning import Line, read
from service.settings import Settings, SettingsError, Topics, load

STRUCTURED = [("content-type", b"application/cloudevents+json")]
Send: TypeAlias = Callable[[Line], Awaitable[RecordMetadata]]


@asynccontextmanager
async def sending(settings: Settings, topics: Topics) -> AsyncIterator[Send]:
    """Gives a function that sends one line and says where it came to stand."""
    producer = AIOKafkaProducer(**clients.kafka(settings))

    async def send(line: Line) -> RecordMetadata:
        value = json.dumps(line.event, ensure_ascii=False).encode()
        return await producer.send_and_wait(topics.named(line.topic), value, line.key.encode(), headers=STRUCTURED)

    try:
        await producer.start()
        yield send
    finally:
        await producer.stop()


async def _send(settings: Settings) -> None:
    async with sending(settings, Topics()) as send:
        for line in read(sys.stdin):
            where = await send(line)
            print(f"{line.event['type']} {line.event['id']} → {where.topic}")  # noqa: T201


async def _read(settings: Settings, topics: list[str]) -> None:
    """Shows what the topics hold and what comes, until it is interrupted."""
    consumer = AIOKafkaConsumer(*topics, **clients.kafka(settings), auto_offset_reset="earliest")
    try:
        await consumer.start()
        async for record in consumer:
            kind = dict(record.headers).get("ce_type", b"").decode()
            print(record.topic, kind, (record.value or b"").decode(errors="replace"), flush=True)  # noqa: T201
    finally:
        await consumer.stop()


def _at(address: str) -> Settings:
    """The settings, with their keys, for the Kafka there."""
    try:
        return load()[0].model_copy(update={"kafka_bootstrap_servers": address})
    except SettingsError as error:
        sys.exit(str(error))


def _main(arguments: list[str]) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # whoever reads this may have read enough
    match arguments:
        case [address, "send"]:
            work = _send(_at(address))
        case [address, "read", *names] if names:
            work = _read(_at(address), names)
        case _:
            sys.exit(__doc__)
    try:
        asyncio.run(work)
    except KafkaError as error:
        sys.exit(f"Kafka at {address}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    _main(sys.argv[1:])
