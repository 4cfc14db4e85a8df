"""Many subscriptions that end at the same local midnight, while requests go on coming."""

from __future__ import annotations

import asyncio
import time
from statistics import quantiles
from typing import TYPE_CHECKING

import asyncpg

from service.store.subscriptions import state_json
from tests.benchmarks.latency import latencies
from tests.benchmarks.stage import preloaded, staged
from tests.benchmarks.workload import MODEL, story

if TYPE_CHECKING:
    from tests.benchmarks.__main__ import Bench

_LEFT = """
select exists (select from subscription where due_at < '2025-12-01') or exists (select from outbox)
"""
_DUE = """
update subscription set
    state = replace($1, $2, subscription_id)::json,
    sequence = 4,
    due_at = '2025-11-20T23:01:00Z'
where subscription_id <= 'S' || lpad($3::text, 8, '0')
"""
_RATE, _SECONDS, _SETTLED = 50.0, 15.0, 5.0
_GRAIN = 0.1


async def measure(bench: Bench) -> None:
    """How fast they are ended, and how long a request takes then, next to how long it takes else; in turns."""
    ending, rounds = bench.size.ending, range(bench.size.rounds)
    ends: list[float] = []
    runs: dict[str, list[list[float]]] = {"quiet": [], "while_ending": []}
    async with preloaded(bench.found, bench.model, ending + 5_000) as database:
        for _ in rounds:
            async with staged(bench.found, database) as stage, stage.worker("service"):
                runs["quiet"].append(await latencies(stage, _RATE, _SECONDS, ending + 1, _SETTLED))
            async with staged(bench.found, database) as stage:
                connection = await asyncpg.connect(stage.url)
                state = state_json(bench.model.after(story("cancel", MODEL)))
                await connection.execute(_DUE, state, MODEL, str(ending))
                await connection.execute("vacuum analyze subscription")
                await connection.execute("checkpoint")  # what was prepared is not to be written while it is measured
                async with stage.worker("service"):
                    began = time.perf_counter()
                    runs["while_ending"].append(await latencies(stage, _RATE, _SECONDS, ending + 1, _SETTLED))
                    while await connection.fetchval(_LEFT):
                        await asyncio.sleep(_GRAIN)  # a benchmark may; it is the figure's grain
                    ends.append(ending / (time.perf_counter() - began))
                await connection.close()
    bench.figure("due_per_s", ends)
    p99 = {
        name: bench.figure(f"request_p99_ms_{name}", [quantiles(run, n=100)[98] * 1000 for run in found], 1)
        for name, found in runs.items()
    }
    bench.figure("due_p99_ratio", [p99["while_ending"] / p99["quiet"]], 2)
