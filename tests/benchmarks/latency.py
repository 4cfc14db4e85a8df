"""From a request to its last outcome, at half of what the worker could take."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from statistics import quantiles
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.benchmarks.stage import Stage, preloaded, staged
from tests.benchmarks.workload import story, subscription_id

if TYPE_CHECKING:
    from tests.benchmarks.__main__ import Bench

_SECONDS = 15
_SETTLED = 2
_HALF = 0.5
_DEFAULT_RATE = 200.0


async def measure(bench: Bench) -> None:
    """The service's and the floor's, each at half of its own throughput, interleaved."""
    found: dict[str, list[list[float]]] = {"service": [], "floor": []}
    rates = {"service": "events_per_s", "floor": "floor_per_s"}
    async with preloaded(bench.found, bench.model, bench.size.many // 10) as database:
        for _ in range(2 * bench.size.rounds - 1):  # a tail is soon disturbed by others on the machine
            for kind, seen in found.items():
                rate = _HALF * min(float(bench.figures.get(name, _DEFAULT_RATE)) for name in rates.values())
                async with staged(bench.found, database) as stage, stage.worker(kind):
                    seen.append(await latencies(stage, rate, _SECONDS if bench.size.rounds > 1 else _SETTLED + 1))
    p99 = {}
    for kind, runs in found.items():
        name = "" if kind == "service" else f"{kind}_"
        cuts = [quantiles(run, n=100) for run in runs]
        bench.figure(f"{name}p50_ms", [cut[49] * 1000 for cut in cuts], 1)
        p99[kind] = bench.figure(f"{name}p99_ms", [cut[98] * 1000 for cut in cuts], 1)
    bench.figure("p99_ratio", [p99["service"] / p99["floor"]], 2)


async def latencies(
    stage: Stage, rate: float, seconds: float, first: int = 1, settled: float = _SETTLED
) -> list[float]:
    """Sends cancellations at a steady rate; the seconds until the last outcome of each could be read.

    What is sent before it has `settled` is left out: the worker is still warming up.
    """
    names = ("cancellation_status", "period_shortened", "renewal_cancelled", "credit_adjustment")
    outcomes = [getattr(stage.topics, name) for name in names]
    consumer = AIOKafkaConsumer(
        *outcomes, bootstrap_servers=stage.servers.kafka, auto_offset_reset="latest", fetch_max_wait_ms=5
    )
    producer = AIOKafkaProducer(bootstrap_servers=stage.servers.kafka, linger_ms=0)
    sent: dict[bytes, float] = {}
    answered: dict[bytes, float] = {}
    async with AsyncExitStack() as stack:
        for client in (consumer, producer):
            await client.start()
            stack.push_async_callback(client.stop)
        reading = asyncio.create_task(_read(consumer, answered))
        stack.callback(reading.cancel)
        began, number = time.perf_counter(), first
        while (elapsed := time.perf_counter() - began) < seconds:
            while number - first < elapsed * rate:
                (event,) = story("cancel", subscription_id(number))
                sent[dict(event.headers)["ce_id"]] = time.perf_counter()
                await producer.send(stage.topics.named(event.topic), event.value, key=event.key, headers=event.headers)
                number += 1
            await asyncio.sleep(0.002)  # a benchmark may; it is the grain of the rate
        async with asyncio.timeout(60):
            while not sent.keys() <= answered.keys():
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
    return [answered[name] - at for name, at in sent.items() if at > began + settled]


async def _read(consumer: AIOKafkaConsumer, answered: dict[bytes, float]) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=50)).values():
            now = time.perf_counter()
            for record in records:
                cause = dict(record.headers).get("ce_causationid")
                if cause is not None:
                    answered[cause] = now
