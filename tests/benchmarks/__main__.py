"""`make bench`: how fast, next to what the machine could do at best and to the plain way of doing it.

    python -m tests.benchmarks [--quick] [--big] [--keep] [--only NAME ...]

All runs of one comparison are interleaved, and a figure is the median of its runs with their spread.
The absolute figures move with the machine; the ratios, taken side by side, do not. Prints
`name: value` lines, keeps them in `.cache/bench.json` and draws `.cache/bench.svg`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from service.local import Servers, servers
from tests.benchmarks import capacity, costs, due, facts, imports, latency, pages, plot, profile, relay, report
from tests.benchmarks.capacity import FIGURES
from tests.benchmarks.stage import Result, preloaded, staged
from tests.benchmarks.workload import Model, stream

KEPT = Path(".cache/bench.json")
_PER_EVENT_SHARE = 8
"""The plain way is given so much less to do, or one would wait for it."""
_COMMANDS_SHARE = 0.81


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done: subscriptions that exist, how many of them something happens to, and how often it is run."""

    subscriptions: int = 10_000
    many: int = 1_000_000
    touched: int = 9_000
    rounds: int = 3
    waiting: int = 1_000_000
    ending: int = 100_000
    behind: int = 350_000


QUICK = Size(subscriptions=500, many=2_000, touched=200, rounds=1, waiting=5_000, ending=300, behind=400)
BIG = Size(many=10_000_000)


@dataclass(slots=True)
class Bench:
    """The servers, what everything is copied from, and the figures so far."""

    found: Servers
    model: Model
    size: Size
    progress: Progress
    task: TaskID
    figures: dict[str, float | str] = field(default_factory=dict)
    part: str = ""

    def figure(self, name: str, values: Sequence[float], digits: int = 0) -> float:
        """Prints and keeps the median of some runs, and how far apart they lay."""
        middle = median(values)
        self.figures[name] = round(middle, digits)
        print(f"{name}: {middle:.{digits}f}", flush=True)
        if len(values) > 1:
            spread = f"{min(values):.{digits}f}..{max(values):.{digits}f}"
            self.figures[f"{name}_spread"] = spread
            print(f"{name}_spread: {spread}", flush=True)
        return middle

    async def run(self, database: str, kind: str, touched: int, workers: int = 1) -> Result:
        """One run of one kind of worker on its own copy of a database."""
        self.progress.update(self.task, description=f"{self.part}: {kind}")
        async with staged(self.found, database) as stage:
            subscriptions = await stage.count()
            events = await stage.send(stream(subscriptions, touched))
            return await stage.run(kind, events, workers)


async def throughput(bench: Bench) -> None:
    """The service, the floor and the plain way, one after the other, round by round."""
    size, runs = bench.size, dict[str, list[Result]]()
    async with preloaded(bench.found, bench.model, size.subscriptions) as database:
        for _ in range(size.rounds):
            for kind in ("service", "floor", "per-event"):
                touched = size.touched // (_PER_EVENT_SHARE if kind == "per-event" else 1)
                runs.setdefault(kind, []).append(await bench.run(database, kind, touched))
            two = await bench.run(database, "service", size.touched, workers=2)
            runs.setdefault("two", []).append(two)
    rates = {kind: [result.rate for result in results] for kind, results in runs.items()}
    service = bench.figure("events_per_s", rates["service"])
    bench.figure("cancellations_per_s", [rate * _COMMANDS_SHARE for rate in rates["service"]])
    bench.figure("cpu_us_per_event", [r.cpu_seconds / r.events * 1e6 for r in runs["service"]])
    floor, plain = bench.figure("floor_per_s", rates["floor"]), bench.figure("per_event_per_s", rates["per-event"])
    bench.figure("floor_cpu_us_per_event", [r.cpu_seconds / r.events * 1e6 for r in runs["floor"]])
    bench.figure("per_event_ratio", [service / plain], 1)
    bench.figure("floor_ratio", [service / floor], 2)
    bench.figure("workers_ratio", [median(rates["two"]) / service], 2)


async def growth(bench: Bench) -> None:
    """The same stream on few subscriptions and on many."""
    size = bench.size
    rates: dict[int, list[float]] = {size.subscriptions: [], size.many: []}
    async with AsyncExitStack() as stack:
        databases = {n: await stack.enter_async_context(preloaded(bench.found, bench.model, n)) for n in rates}
        for _ in range(size.rounds):
            for number, database in databases.items():
                rates[number].append((await bench.run(database, "service", size.touched)).rate)
    few, many = (bench.figure(f"events_per_s_at_{number}", rates[number]) for number in rates)
    bench.figure("growth_ratio" if size.many == Size().many else f"growth_ratio_at_{size.many}", [many / few], 2)


async def memory(bench: Bench) -> None:
    """The worker's peak with a long backlog behind it, while it works a part of it off."""
    async with (
        preloaded(bench.found, bench.model, bench.size.behind) as database,
        staged(bench.found, database) as stage,
    ):
        events = await stage.send(stream(bench.size.behind, bench.size.behind))
        bench.figure("events_behind", [events])
        result = await stage.run("service", min(events, bench.size.touched * 2))
        bench.figure("rss_mb", [result.rss_mb])


_PARTS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "throughput": throughput,
    "latency": latency.measure,
    "growth": growth,
    "facts": facts.measure,
    "costs": costs.measure,
    "due": due.measure,
    "relay": relay.measure,
    "memory": memory,
    "profile": profile.measure,
    "pages": pages.measure,
    "imports": imports.measure,
}


async def main(size: Size, only: Sequence[str], kept: Path) -> None:
    """Runs the parts one after the other, and keeps the figures of each beside those that are there already."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics take a moment to find their leaders
    wanted = [name for name in _PARTS if not only or name in only]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with servers() as found:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bench = Bench(found, Model(), size, progress, progress.add_task("", total=len(wanted)))
            bench.figures |= known(kept)
            for name in wanted:
                bench.part = name
                progress.update(bench.task, description=name)
                await _PARTS[name](bench)
                progress.advance(bench.task)
                keep(bench.figures, kept)


def known(kept: Path) -> dict[str, float | str]:
    """The figures that were kept before."""
    found: dict[str, float | str] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    return found


def keep(figures: dict[str, float | str], kept: Path) -> None:
    """Keeps figures."""
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="only to see that it runs")
    parser.add_argument("--big", action="store_true", help="growth to ten million subscriptions")
    parser.add_argument("--keep", action="store_true", help="as what the README and deploy/CAPACITY.md say")
    parser.add_argument("--only", nargs="*", choices=list(_PARTS), default=[])
    chosen = parser.parse_args()
    kept = FIGURES if chosen.keep else KEPT
    asyncio.run(main(QUICK if chosen.quick else BIG if chosen.big else Size(), chosen.only, kept))
    if chosen.keep:
        capacity.main()
        report.main()
    if not (chosen.quick or chosen.only or chosen.big) or chosen.keep:
        plot.main(kept.read_text(encoding="utf-8"), kept)
