"""How long pages and endpoints take to answer beside 1,000,000 subscriptions, from a worker that decides meanwhile.

Each is asked for by one reader, again and again, while cancellations go on coming at half of what the worker can take.
Times are in milliseconds, from the request sent to the answer read. The plan of every query behind them, with what it
has read, is kept beside: `plans.txt`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from urllib.request import urlopen

import asyncpg

from service.ops.watching import COUNTED_TO
from service.store import figures, lookup, policies
from tests.benchmarks.latency import latencies
from tests.benchmarks.stage import Worker, preloaded, staged
from tests.benchmarks.workload import subscription_id

if TYPE_CHECKING:
    from tests.benchmarks.__main__ import Bench

PLANS = Path(__file__).with_name("plans.txt")
_FILL = """
insert into subscription
(tenant_id, subscription_id, customer_id, sequence, state, due_at, ends_at, open_since, updated_at)
select
    'default', 'F' || n, 'K' || n / 3, 1, s.state,
    case when n % 3 = 0 then $2::timestamptz + (1 + n % 31) * interval '1 day' end,
    case when n % 3 = 0 then $2::timestamptz + n % 31 * interval '1 day' end,
    case when n % 50 = 0 then $2::timestamptz - n % 720 * interval '1 hour' end,
    now()
from generate_series(1, $1) n, (select state from subscription where subscription_id = $3) s
"""
PAGES = {
    "search_subscription": ("/", {"q": "F77"}),
    "search_customer": ("/", {"q": "K777"}),
    "search_everything": ("/", {"q": "F"}),
    "search_further": ("/", {"q": "F", "after": "F5"}),
    "search_further_by_customer": ("/", {"q": "K", "after": "F5"}),
    "search_nothing": ("/", {"q": "nobody"}),
    "timeline": ("/timeline", {"subscription": "F777"}),
    "operations": ("/operations", {}),
    "operations_first_event": ("/operations/events", {}),
    "metrics": ("/metrics", {}),
    "livez": ("/livez", {}),
    "readyz": ("/readyz", {}),
    "static": ("/static/page.css", {}),
    "contract": ("/asyncapi", {}),
    "contract_message": ("/asyncapi/messages/subscription-timeline", {}),
    "contract_file": ("/asyncapi/asyncapi.yaml", {}),
    "api_search": ("/api/subscriptions", {"q": "F77"}),
    "api_search_further": ("/api/subscriptions", {"q": "F", "after": "F5"}),
    "api_timeline": ("/api/timeline", {"subscription_id": "F777"}),
    "api_preview": ("/api/preview", {"subscription_id": "F777"}),
    "api_description": ("/api/openapi.json", {}),
}
"""By name: its path, and what is asked for."""
_TIMES = 300
_SETTLED = 8
_STREAMED = 50_000
_RATE = 200.0
_FOR_EVER = 3600.0


async def measure(bench: Bench) -> None:
    """Asks for each page, then for the plans."""
    size = bench.size
    rate = float(bench.figures.get("events_per_s", _RATE * 2)) / 2
    async with preloaded(bench.found, bench.model, _STREAMED) as database, staged(bench.found, database) as stage:
        connection = await asyncpg.connect(stage.url, command_timeout=_FOR_EVER)
        await connection.execute(_FILL, size.many, datetime.now(UTC), subscription_id(1))
        await connection.execute("vacuum analyze subscription")
        async with stage.worker("service") as worker:
            streaming = asyncio.create_task(latencies(stage, rate, _FOR_EVER))
            await asyncio.sleep(_SETTLED)  # a benchmark may: the worker is still warming up
            took = {name: await _asked(worker, path, query) for name, (path, query) in PAGES.items()}
            streaming.cancel()
            with suppress(asyncio.CancelledError):
                await streaming
        plans = await _plans(connection, datetime.now(UTC))
        await connection.close()
    if size.rounds > 1:
        PLANS.write_text("\n".join(line.rstrip() for line in plans) + "\n", encoding="utf-8")
    cuts = {name: quantiles(times, n=100) for name, times in took.items()}
    for name, cut in cuts.items():
        bench.figure(f"page_{name}_p50_ms", [cut[49]], 1)
        bench.figure(f"page_{name}_p99_ms", [cut[98]], 1)
    bench.figure("pages_slowest_p99_ms", [max(cut[98] for cut in cuts.values())])


async def _asked(worker: Worker, path: str, query: dict[str, str]) -> list[float]:
    address = f"{await worker.address}{path}?{urlencode(query)}"
    return [await asyncio.to_thread(_ask, address) for _ in range(_TIMES)]


def _ask(address: str) -> float:
    began = time.perf_counter()
    with urlopen(address) as answer:  # noqa: S310  the worker's own
        if answer.headers.get_content_type() == "text/event-stream":  # which never ends: its first event counts
            while answer.readline().strip():
                pass
        else:
            answer.read()
    return (time.perf_counter() - began) * 1000


async def _plans(connection: asyncpg.Connection, now: datetime) -> list[str]:
    """The plan of every statement that a page or `/metrics` reads by, with what it has read."""
    told: list[str] = []
    asked = ("default", "F77", "\U0010ffff", 21)
    further = ("default", "K", "\U0010ffff", 21, "K1", "F5")
    tomorrow = now + timedelta(days=1)
    for statement, arguments in (
        (lookup._ONE, ("default", "F777")),  # noqa: SLF001  what is measured
        (lookup._BY_ID, (*asked, "")),  # noqa: SLF001
        (lookup._BY_ID, (*asked, "F775")),  # noqa: SLF001
        (lookup._BY_CUSTOMER, (*asked, "F77", "")),  # noqa: SLF001
        (lookup._BY_CUSTOMER, further),  # noqa: SLF001
        (lookup._CUSTOMER, ("default", "F777")),  # noqa: SLF001
        (policies._READ, (["default"],)),  # noqa: SLF001
        (figures._READ, (50_000, COUNTED_TO, [now - timedelta(days=1)], [now], now, tomorrow)),  # noqa: SLF001
    ):
        told.append(" ".join(statement.split()))
        told += [
            f"    {line}" for (line,) in await connection.fetch(f"explain (analyze, buffers) {statement}", *arguments)
        ]
    return told
