"""Many subscriptions that end at the same local midnight, while requests go on coming."""

from __future__ import annotations

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
_RATE, _SECONDS = 50.0, 10.0


async def measure(bench: Bench) -> None:
    """How fast they are ended, and how long a request takes then, next to how long it takes else."""
    ending = bench.size.ending
    async with preloaded(bench.found, bench.model, ending + 5_000) as database:
        async with staged(bench.found, database) as stage, stage.worker("service"):
            quiet = await latencies(stage, _RATE, _SECONDS, first=ending + 1)
        async with staged(bench.found, database) as stage:
            connection = await asyncpg.connect(stage.url)
            await connection.execute(
                """
                update subscription set
                    state = replace($1, $2, subscription_id)::json,
                    sequence = 4,
                    due_at = '2025-11-20T23:01:00Z'
                where subscription_id <= 'S' || lpad($3::text, 8, '0')
                """,
                state_json(bench.model.after(story("cancel", MODEL))),
                MODEL,
                str(ending),
            )
            await connection.execute("vacuum analyze subscription")
            async with stage.worker("service"):
                began = time.perf_counter()
                busy = await latencies(stage, _RATE, _SECONDS, first=ending + 1)
                while await connection.fetchval(_LEFT):
                    pass
                seconds = time.perf_counter() - began
            await connection.close()
    bench.figure("due_per_s", [ending / seconds])
    p99 = [quantiles(run, n=100)[98] * 1000 for run in (quiet, busy)]
    bench.figure("request_p99_ms_quiet", p99[:1], 1)
    bench.figure("request_p99_ms_while_ending", p99[1:], 1)
    bench.figure("due_p99_ratio", [p99[1] / p99[0]], 2)
