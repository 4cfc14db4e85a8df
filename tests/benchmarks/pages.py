"""How long pages take to answer beside many subscriptions, and the plans of their queries there.

    python -m tests.benchmarks.pages [SUBSCRIPTIONS]

Fills a database of its own with 1,000,000 copies of one subscription unless told otherwise, and asks for each page from
one reader. Prints `name: value` lines; times are in milliseconds, from the request sent to the answer read.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from statistics import quantiles

import asyncpg

from service.local import servers
from service.store import lookup
from service.store.migrate import migrate, migrations
from tests.web.stage import Stage, staged, titled

_FILL = """
insert into subscription (tenant_id, subscription_id, customer_id, sequence, state, updated_at)
select 'default', 'F' || n, 'K' || n / 3, 1, s.state, now()
from generate_series(1, $1) n, (select state from subscription where subscription_id = 'S1') s
"""
_PAGES = {
    "search_subscription": ("/", {"q": "F77"}),
    "search_customer": ("/", {"q": "K777"}),
    "search_everything": ("/", {"q": "F"}),
    "search_nothing": ("/", {"q": "nobody"}),
    "timeline": ("/timeline", {"subscription": "S1"}),
    "api_search": ("/api/subscriptions", {"q": "F77"}),
    "api_timeline": ("/api/timeline", {"subscription_id": "F777"}),
    "api_preview": ("/api/preview", {"subscription_id": "F777"}),
}
_TIMES = 100


async def measure(subscriptions: int) -> None:
    """Fills, migrates anew to say how long that takes, and asks."""
    async with servers() as found:
        connection = await asyncpg.connect(found.postgres)
        await migrate(connection)
        await connection.close()
        async with (
            asyncpg.create_pool(found.postgres, min_size=1, max_size=4, command_timeout=3600) as pool,
            staged(pool) as stage,
        ):
            await stage.play(titled("a price change after the end"), "S1")
            await pool.execute(_FILL, subscriptions)
            await pool.execute("drop index subscription_by_id; drop index subscription_by_customer")
            began = time.perf_counter()
            await pool.execute(dict(migrations())["0007_search"])
            _tell("migration_seconds", time.perf_counter() - began)
            await pool.execute("vacuum analyze subscription")
            gc.freeze()  # as the service does when it is ready
            for name, (path, query) in _PAGES.items():
                await _page(stage, name, path, query)
            for statement in (lookup._BY_ID, lookup._BY_CUSTOMER):  # noqa: SLF001  what is measured
                for (line,) in await pool.fetch(
                    f"explain (analyze, buffers) {statement}", "default", "F77", "\U0010ffff", 21
                ):
                    print("   ", line)


async def _page(stage: Stage, name: str, path: str, query: dict[str, str]) -> None:
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        answer = await stage.ask(path, **query)
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200
    cuts = quantiles(took, n=100)
    _tell(f"{name}_p50_ms", cuts[49])
    _tell(f"{name}_p99_ms", cuts[98])


def _tell(name: str, value: float) -> None:
    print(f"{name}: {value:.1f}", flush=True)


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
