"""That the benchmark is alive; how fast anything is, no test says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

PARTS = ("throughput", "relay")


async def test_the_benchmark_measures_what_it_is_to_measure() -> None:
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks", "--quick", "--only", *PARTS),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await running.communicate()
    finally:
        if running.returncode is None:
            running.terminate()
            await running.wait()
    assert running.returncode == 0, err.decode()
    figures = dict(line.split(": ", 1) for line in out.decode().splitlines())
    for name in ("events_per_s", "floor_per_s", "per_event_per_s", "relay_per_s"):
        assert float(figures[name]) > 0
