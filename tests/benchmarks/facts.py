"""What an event costs on a subscription with a short history, and with a long one."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg

from service.flow import Flow
from tests.benchmarks.stage import preloaded, staged
from tests.benchmarks.workload import NOW, again, incoming, long_life

if TYPE_CHECKING:
    from tests.benchmarks.__main__ import Bench

FACTS = (10, 100, 1_000, 9_900)
"""The last leaves a subscription room below its limit of 10,000 events."""
_TURNS = 30


async def measure(bench: Bench) -> None:
    """Cancels and revokes in turn, each in a transaction of its own, on histories of several lengths."""
    spent: dict[int, list[float]] = {facts: [] for facts in FACTS}
    async with preloaded(bench.found, bench.model, 1) as database, staged(bench.found, database) as stage:
        pool = await asyncpg.create_pool(stage.url, min_size=1, max_size=1)
        flow = Flow(pool, stage.settings, stage.topics, lambda: NOW + timedelta(hours=1))
        offsets = 0
        for facts in FACTS:
            life = [incoming(event, offsets + number) for number, event in enumerate(long_life(f"S{facts}", facts))]
            await flow.process(life)
            offsets += len(life)
        for turn in range(_TURNS if bench.size.rounds > 1 else 4):
            for facts, times in spent.items():
                record = incoming(again(f"S{facts}", turn), offsets)
                began = time.perf_counter()
                await flow.process([record])
                times.append((time.perf_counter() - began) * 1000)
                offsets += 1
        await pool.close()
    cost = {facts: bench.figure(f"ms_per_event_at_{facts}_facts", times, 2) for facts, times in spent.items()}
    bench.figure("facts_ratio", [cost[FACTS[-1]] / cost[FACTS[0]]], 1)
