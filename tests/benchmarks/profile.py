"""Where a worker's time goes, by samples of its stack: `py-spy`, which asks the system's leave to look at a process."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.stage import preloaded, staged
from tests.benchmarks.workload import stream

if TYPE_CHECKING:
    from tests.benchmarks.__main__ import Bench

PARTS = {
    "read_events": "read (service/arrivals.py",
    "decide": "_decision (service/batch.py",
    "outcomes": "outcomes (service/outgoing.py",
    "snapshot": "drawn (service/outgoing.py",
    "read_state": "read_state (service/store/subscriptions.py",
    "write_state": "state_json (service/store/subscriptions.py",
    "outbox": "append (service/store/outbox.py",
    "relay": "_relay_loop (service/app.py",
}
"""Each part of the work, with the function that all of it is done in."""
_RATE = 250


async def measure(bench: Bench) -> None:
    """Looks at a worker while it works the stream off."""
    async with (
        preloaded(bench.found, bench.model, bench.size.subscriptions) as database,
        staged(bench.found, database) as stage,
    ):
        events = await stage.send(stream(bench.size.subscriptions, bench.size.touched))
        with tempfile.TemporaryDirectory() as folder:
            samples = Path(folder) / "samples"
            async with stage.worker("service") as worker:
                looking = await _look(worker.process.pid, samples)
                before, began = worker.peak[0], time.time()
                await stage.until(events)
                seconds = worker.peak[0] - before
                busy = seconds / (time.time() - began)
                looking.send_signal(signal.SIGINT)
                await looking.wait()
            shares = shares_of(samples.read_text(encoding="utf-8").splitlines())
    bench.figure("profile_busy_percent", [busy * 100])
    bench.figure("profile_cpu_us_per_event", [seconds / events * 1e6])
    for part, share in shares.items():
        bench.figure(f"profile_{part}_percent", [share * 100])


def shares_of(samples: Iterable[str]) -> dict[str, float]:
    """The share of each part in all samples; each line is a stack, from the outermost frame on, and how often."""
    counts, total = Counter[str](), 0
    for line in samples:
        stack, _, number = line.rpartition(" ")
        found = next((part for part, function in PARTS.items() if function in stack), "rest")
        counts[found] += int(number)
        total += int(number)
    return {part: counts[part] / max(total, 1) for part in (*PARTS, "rest")}


async def _look(pid: int, samples: Path) -> asyncio.subprocess.Process:
    options = ("--rate", str(_RATE), "--format", "raw", "--output", str(samples), "--pid", str(pid))
    return await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("py-spy")), "record", "--duration", "unlimited", *options),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
