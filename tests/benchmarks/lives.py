"""How many events a second one worker takes through, from a full topic to an empty outbox.

    python -m tests.benchmarks.throughput [LIVES]

Random lives are sent first, then the service is started on them; the clock runs from its start to
the last outcome on Kafka. Prints `name: value` lines. The figures move with the machine: compare
only what was measured side by side.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import asyncpg
from aiokafka import AIOKafkaProducer

from service import topics
from service.app import run
from service.local import servers
from service.settings import Settings, Topics
from tests.lives import life


async def main(lives: int) -> None:
    """Sends the lives, runs the service on them, prints the figures."""
    async with servers() as found:
        settings = Settings(
            kafka_bootstrap_servers=found.kafka, database_url=found.postgres, http_bind="127.0.0.1:0", seal_grace=600
        )
        await topics.create(settings, Topics())
        events = await _send(found.kafka, lives)
        started = time.perf_counter()
        service = asyncio.create_task(run(settings, Topics(), lambda _: None))
        connection = await asyncpg.connect(found.postgres)
        while not await _done(connection, events):
            if service.done():
                service.result()
            await asyncio.sleep(0.05)  # a benchmark may; the figure's grain is a twentieth of a second
        seconds = time.perf_counter() - started
        outcomes = await connection.fetchval("select sum(sequence) from subscription")
        await connection.close()
        service.cancel()
        await asyncio.gather(service, return_exceptions=True)
    print(f"events: {events}")
    print(f"outcomes: {outcomes}")
    print(f"seconds: {seconds:.2f}")
    print(f"events_per_s: {events / seconds:.0f}")


async def _done(connection: asyncpg.Connection, events: int) -> bool:
    """Whether everything has been decided and has left the outbox."""
    try:
        decided = await connection.fetchval("select sum(next_offset) from consumer_offset")
        return decided == events and not await connection.fetchval("select exists (select from outbox)")
    except asyncpg.UndefinedTableError:
        return False


async def _send(kafka: str, lives: int) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=20)
    await producer.start()
    sent = []
    for seed in range(lives):
        told = life(seed)
        for event in (*told.lifecycle, *told.commands):
            headers = {
                "ce_specversion": "1.0",
                "ce_id": event.id,
                "ce_source": event.source,
                "ce_type": event.type,
                "ce_time": event.time,
            }
            encoded = [(name, value.encode()) for name, value in headers.items()]
            value, key = json.dumps(event.data).encode(), told.subscription_id.encode()
            sent.append(await producer.send(event.topic, value, key=key, headers=encoded))
    await asyncio.gather(*sent)
    await producer.stop()
    return len(sent)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
