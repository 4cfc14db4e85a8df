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
from datetime import timedelta
from statistics import quantiles

import asyncpg

from service.local import servers
from service.ops.watching import COUNTED_TO
from service.store import figures, lookup, policies
from service.store.migrate import migrate, migrations
from tests.web.stage import Stage, staged, titled

# A third ends within a month, spread over its days; one in fifty has an open adjustment.
_FILL = """
insert into subscription
(tenant_id, subscription_id, customer_id, sequence, state, due_at, ends_at, open_since, updated_at)
select
    'default', 'F' || n, 'K' || n / 3, 1, s.state,
    case when n % 3 = 0 then $2::timestamptz + n % 31 * interval '1 day' + interval '1 minute' end,
    case when n % 3 = 0 then $2::timestamptz + n % 31 * interval '1 day' end,
    case when n % 50 = 0 then $2::timestamptz - n % 720 * interval '1 hour' end,
    now()
from generate_series(1, $1) n, (select state from subscription where subscription_id = 'S1') s
"""
_PAGES = {
    "search_subscription": ("/", {"q": "F77"}),
    "search_customer": ("/", {"q": "K777"}),
    "search_everything": ("/", {"q": "F"}),
    "search_further": ("/", {"q": "F", "after": "F5"}),
    "search_further_by_customer": ("/", {"q": "K", "after": "F5"}),
    "search_nothing": ("/", {"q": "nobody"}),
    "timeline": ("/timeline", {"subscription": "S1"}),
    "operations": ("/operations", {}),
    "metrics": ("/metrics", {}),
    "contract": ("/asyncapi", {}),
    "contract_message": ("/asyncapi/messages/subscription-timeline", {}),
    "contract_file": ("/asyncapi/asyncapi.yaml", {}),
    "api_search": ("/api/subscriptions", {"q": "F77"}),
    "api_search_further": ("/api/subscriptions", {"q": "F", "after": "F5"}),
    "api_timeline": ("/api/timeline", {"subscription_id": "F777"}),
    "api_preview": ("/api/preview", {"subscription_id": "F777"}),
    "api_description": ("/api/openapi.json", {}),
}
_TIMES = 100
_AGES = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))


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
            await pool.execute(_FILL, subscriptions, stage.now)
            await pool.execute("drop index subscription_by_id; drop index subscription_by_customer")
            began = time.perf_counter()
            await pool.execute(dict(migrations())["0007_search"])
            _tell("migration_seconds", time.perf_counter() - began)
            await pool.execute("vacuum analyze subscription")
            gc.freeze()  # as the service does when it is ready
            for name, (path, query) in _PAGES.items():
                await _page(stage, name, path, query)
            await _figures(pool, stage)
            await _plans(pool, stage)


async def _figures(pool: asyncpg.Pool, stage: Stage) -> None:
    """What `/metrics` and the operations page read when they have not looked for some seconds, all of it."""
    took = []
    for _ in range(_TIMES):
        async with pool.acquire() as connection, connection.transaction(readonly=True):
            began = time.perf_counter()
            await figures.read(connection, stage.now, _AGES, (50_000, COUNTED_TO))
            took.append((time.perf_counter() - began) * 1000)
    _told("figures_read", took)


async def _plans(pool: asyncpg.Pool, stage: Stage) -> None:
    """The plan of every statement that a page or `/metrics` reads by, with what it has read."""
    asked = ("default", "F77", "\U0010ffff", 21)
    further = ("default", "K", "\U0010ffff", 21, "K1", "F5")
    tomorrow = stage.now + timedelta(days=1)
    for statement, arguments in (
        (lookup._ONE, ("default", "F777")),  # noqa: SLF001  what is measured
        (lookup._BY_ID, (*asked, "")),  # noqa: SLF001
        (lookup._BY_ID, (*asked, "F775")),  # noqa: SLF001
        (lookup._BY_CUSTOMER, (*asked, "", "")),  # noqa: SLF001
        (lookup._BY_CUSTOMER, further),  # noqa: SLF001
        (lookup._CUSTOMER, ("default", "F777")),  # noqa: SLF001
        (policies._READ, (["default"],)),  # noqa: SLF001
        (figures._OUTBOX, (50_000,)),  # noqa: SLF001
        (figures._HELD, (COUNTED_TO,)),  # noqa: SLF001
        (figures._OPEN, (stage.now - timedelta(days=1), stage.now, COUNTED_TO)),  # noqa: SLF001
        (figures._OLDEST_OPEN, ()),  # noqa: SLF001
        (figures._LATE, (stage.now, COUNTED_TO)),  # noqa: SLF001
        (figures._ENDING, (stage.now, tomorrow, COUNTED_TO)),  # noqa: SLF001
        (figures._BOOKS, (COUNTED_TO,)),  # noqa: SLF001
    ):
        print("   ", " ".join(statement.split()))
        for (line,) in await pool.fetch(f"explain (analyze, buffers) {statement}", *arguments):
            print("       ", line)


async def _page(stage: Stage, name: str, path: str, query: dict[str, str]) -> None:
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        answer = await stage.ask(path, **query)
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200
    _told(name, took)


def _told(name: str, took: list[float]) -> None:
    cuts = quantiles(took, n=100)
    _tell(f"{name}_p50_ms", cuts[49])
    _tell(f"{name}_p99_ms", cuts[98])


def _tell(name: str, value: float) -> None:
    print(f"{name}: {value:.1f}", flush=True)


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
