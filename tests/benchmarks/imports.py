"""Many subscriptions brought along by `import`, killed in the middle and called again, with a worker behind it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from tests.benchmarks.stage import Stage, preloaded, staged

if TYPE_CHECKING:
    from tests.benchmarks.__main__ import Bench

_HEADER = "subscription_id,customer_id,currency,time_zone,start_date,interval,line_id,amount,description,notice"
_ROW = "I{0:08d},K{1:08d},DKK,Europe/Copenhagen,2024-01-31,P1M,L1,300.00,Bladet,P30D"
_FOUND = """
select
    (select count(*) from subscription) as subscriptions,
    (select count(*) from fact) as facts,
    (select count(*) from outbox) as waiting
"""


async def measure(bench: Bench) -> None:
    """Brings them along; how long the commands took, how large they were, and when all of it was decided."""
    rows = bench.size.many
    async with preloaded(bench.found, bench.model, 0) as database, staged(bench.found, database) as stage:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "subscriptions.csv"
            with file.open("w", encoding="utf-8") as opened:
                opened.write(f"{_HEADER}\n")
                opened.writelines(f"{_ROW.format(number, number // 3)}\n" for number in range(rows))
            connection = await asyncpg.connect(stage.url, command_timeout=600)
            async with stage.worker("service"):
                began = time.perf_counter()
                killed = await _imported(stage, file, until=rows // 2)
                again = await _imported(stage, file)
                seconds = time.perf_counter() - began
                while (found := await connection.fetchrow(_FOUND)) and (
                    found["subscriptions"] < rows or found["waiting"]
                ):
                    await asyncio.sleep(1)  # a benchmark may; a count is not free either
                decided = time.perf_counter() - began
            await connection.close()
    bench.figure("import_rows", [rows])
    bench.figure("import_killed_after", [killed[0]])
    bench.figure("import_seconds", [seconds])
    bench.figure("import_rss_mb", [max(killed[1], again[1])])
    bench.figure("import_decided_seconds", [decided])
    bench.figure("import_subscriptions", [found["subscriptions"]])
    bench.figure("import_facts", [found["facts"]])


async def _imported(stage: Stage, file: Path, until: int | None = None) -> tuple[int, float]:
    """Runs the command, to its end or until so many events are sent; how many were, and its peak of memory in MB."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "import", str(file), "--json"),
        env=stage.environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    kept, sent, peak = file.with_name(f"{file.name}.import"), 0, 0.0
    while process.returncode is None:
        with suppress(OSError, ValueError):
            peak = max(peak, _peak(process.pid))
            sent = json.loads(kept.read_bytes())["sent"]
        if until is not None and sent >= until:
            process.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await process.wait()
    assert process.returncode == (0 if until is None else -9), f"import ended with {process.returncode}"
    return sent, peak


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return max(map(int, found), default=0) / 1024
