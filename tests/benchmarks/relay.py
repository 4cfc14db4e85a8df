"""A full outbox on its way to Kafka, next to what a producer can do with the same records."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import asyncpg
from aiokafka import AIOKafkaProducer

from service.store.records import flatten
from tests.benchmarks.stage import Stage, preloaded, staged
from tests.benchmarks.workload import MODEL, story

if TYPE_CHECKING:
    from tests.benchmarks.__main__ import Bench

_FILL = """
insert into outbox (shard, topic, key, value, headers, created_at)
select n % 16, $2, convert_to('default:S' || lpad((n % 1000)::text, 8, '0'), 'UTF8'), $3, $4, now()
from generate_series(1, $1) as n
"""


async def measure(bench: Bench) -> None:
    """Drains it, and says whether the last quarter went as fast as the first."""
    waiting = bench.size.waiting
    outcome = bench.model.outcomes(story("cancel", MODEL))[0][3]
    async with preloaded(bench.found, bench.model, 1) as database, staged(bench.found, database) as stage:
        limit = await _produced(
            stage, stage.topics.credit_adjustment, outcome.value or b"", list(outcome.headers), waiting
        )
        connection = await asyncpg.connect(stage.url)
        headers = flatten(outcome.headers)
        await connection.execute(_FILL, waiting, stage.topics.credit_adjustment, outcome.value, headers)
        await connection.execute("vacuum analyze outbox")
        marks = []
        async with stage.worker("service"):
            while (left := await connection.fetchval("select count(*) from outbox")) > 0:
                marks.append((time.perf_counter(), waiting - left))
                await asyncio.sleep(0.1)  # a benchmark may; a count is not free either
            marks.append((time.perf_counter(), waiting))
        await connection.close()
    still = [mark for mark in marks if not mark[1]]
    moving = [*still[-1:], *marks[len(still) :]]
    bench.figure("producer_per_s", [limit])
    rate = bench.figure("relay_per_s", [_rate(moving)])
    bench.figure("relay_ratio", [rate / limit], 2)
    quarter = max(len(moving) // 4, 2)
    bench.figure("relay_last_to_first_quarter", [_rate(moving[-quarter:]) / _rate(moving[:quarter])], 2)


def _rate(marks: list[tuple[float, int]]) -> float:
    (began, first), (ended, last) = marks[0], marks[-1]
    return (last - first) / max(ended - began, 1e-9)


async def _produced(
    stage: Stage, topic: str, value: bytes, headers: list[tuple[str, bytes | None]], number: int
) -> float:
    """What an idempotent producer does with as many of the same records, from memory."""
    producer = AIOKafkaProducer(bootstrap_servers=stage.servers.kafka, enable_idempotence=True, linger_ms=1)
    await producer.start()
    began, most = time.perf_counter(), min(number, 100_000)
    for first in range(0, most, 2_000):
        sent = [
            await producer.send(topic, value, key=b"default:S%08d" % (n % 1000), headers=headers)
            for n in range(first, min(first + 2_000, most))
        ]
        await asyncio.gather(*sent)
    rate = most / (time.perf_counter() - began)
    await producer.stop()
    return rate
