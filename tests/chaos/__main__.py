"""`make chaos`: faults over real processes, and a check of what came out that knows nothing of the service.

    python -m tests.chaos [--short] [--seed N] [--only FAULT,…] [--events N] [--rate N] [--json FILE] [--logs DIRECTORY]

A run is a seed: the same events and the same dice for the faults; only the machine's own timing differs. Every run is
laid beside one that nothing disturbed. Exits with 1 if anything was lost, contradicted, disordered or miscounted.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import signal
import sys
import tarfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from service.local.process import LocalError
from tests.chaos import faults, servers
from tests.chaos.proxies import proxies
from tests.chaos.run import CACHE, Fault, Place, Plan, Row, Run, keep, play, tell
from tests.chaos.scenarios import (
    CLUSTER,
    ON_THEIR_OWN,
    PLAIN,
    PROXIED,
    SHORT,
    SMALL_BROKER,
    SMALL_DATABASE,
    Scenario,
    listed,
)
from tests.chaos.workers import CHECKOUT

BEFORE = "9fbc324"  # the release before: nothing is tagged yet, and this is the last commit that wrote states otherwise
_SMALL = "420m"


async def main(asked: argparse.Namespace) -> int:
    """Runs what was asked for, place by place, and says what came of it."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    tell(f"seed {asked.seed}; again with: python -m tests.chaos --seed {asked.seed} --events {asked.events}")
    scenarios = listed()
    names = asked.only or (SHORT if asked.short else [name for name in scenarios if name not in ON_THEIR_OWN])
    places: dict[str, list[str]] = defaultdict(list)
    for name in names:
        places[scenarios[name].where].append(name)
    rows: list[Row] = []
    async with servers.home() as folder:
        logs = asked.logs or folder
        logs.mkdir(parents=True, exist_ok=True)
        for where in dict.fromkeys([PLAIN, *places]):
            try:
                async with _place(where) as place:
                    if where == PLAIN:
                        plan, row = (
                            Plan(asked.events, max(asked.rate, 500), asked.seed),
                            Row("undisturbed", "", asked.seed),
                        )
                        await _played(Run(plan, row, place, logs), faults.nothing, rows, asked)
                    for name in places[where]:
                        await _one(Row(name, scenarios[name].what, asked.seed), scenarios[name], place, asked, rows)
            except LocalError as error:
                rows += [Row(name, scenarios[name].what, asked.seed, skipped=str(error)) for name in places[where]]
    keep(rows, asked.json, asked.seed)
    show(rows)
    return 0 if all(row.good for row in rows) else 1


async def _one(row: Row, scenario: Scenario, place: Place, asked: argparse.Namespace, rows: list[Row]) -> None:
    """One fault, in its circumstances, laid beside the first row, which nothing disturbed."""
    releases: tuple[Path, ...] = ()
    if scenario.mixed:
        before = await _release(asked.before, place.folder / "before")
        if before is None:
            row.skipped = f"there is no commit {asked.before} here"
            rows.append(row)
            return
        releases = (CHECKOUT, before)
    if scenario.where == PROXIED and not place.proxies:
        row.skipped = "there is no Go here to build toxiproxy with"
        rows.append(row)
        return
    plan = Plan(
        events=max(asked.events, int(asked.rate * scenario.seconds)),
        rate=asked.rate,
        seed=asked.seed,
        workers=scenario.workers,
        static=scenario.static,
        points=scenario.points,
        migrated=scenario.migrated,
        environment=scenario.environment,
        releases=releases,
    )
    await _played(Run(plan, row, place, asked.logs or place.folder), scenario.fault, rows, asked)
    if row.events and plan.events == asked.events:
        row.as_undisturbed = row.found.books == rows[0].found.books


async def _played(run: Run, fault: Fault, rows: list[Row], asked: argparse.Namespace) -> None:
    """Plays it; what does not come to an end is a failure of this row, and the others still have their turn."""
    tell(f"{run.row.fault}: {run.row.what}")
    try:
        await play(run, fault)
    except (RuntimeError, ExceptionGroup) as error:
        run.row.found.lost = -1
        run.row.found.say(f"given up: {error}")
    for complaint in run.row.found.complaints:
        tell(f"  {complaint}")
    rows.append(run.row)
    keep(rows, asked.json, asked.seed)


@asynccontextmanager
async def _place(where: str) -> AsyncIterator[Place]:
    """Servers for the faults that take place there."""
    async with (
        servers.home() as folder,
        servers.home(_SMALL if where in {SMALL_BROKER, SMALL_DATABASE} else None) as small,
    ):
        database = servers.database(small if where == SMALL_DATABASE else folder)
        brokers = await servers.cluster(small if where == SMALL_BROKER else folder, 3 if where == CLUSTER else 1)
        async with servers.running(database, *brokers.brokers):
            if where == PROXIED:
                async with proxies(folder, brokers, database) as ways:
                    yield Place(brokers, database, folder, ways)
            else:
                yield Place(brokers, database, folder, small=small)


async def _release(commit: str, folder: Path) -> Path | None:
    """Another release's sources, as its commit has them."""
    archive = await asyncio.create_subprocess_exec(
        *("git", "-C", str(CHECKOUT), "archive", commit, "service"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    content, _ = await archive.communicate()
    if archive.returncode:
        return None
    folder.mkdir(exist_ok=True)
    packed = folder / "service.tar"
    packed.write_bytes(content)
    with tarfile.open(packed) as tar:
        tar.extractall(folder, filter="data")
    return folder


def show(rows: list[Row]) -> None:
    """The figures: a line each, then as a table."""
    for row in rows:
        figures = {
            "times": row.times,
            "events": row.events,
            "outcomes": row.found.outcomes,
            "lost": row.found.lost,
            "contradictions": row.found.contradictions,
            "out_of_order": row.found.out_of_order,
            "off_the_books": row.found.off_the_books,
            "repeats": row.found.repeats,
            "stall_s": row.stall_s,
        }
        if row.skipped:
            print(f"{row.fault}_skipped: {row.skipped}")
        else:
            for name, figure in figures.items():
                print(f"{row.fault}_{name}: {figure}")
    total = {
        what: sum(row.kills.get(what, 0) for row in rows) for what in sorted({k for row in rows for k in row.kills})
    }
    for what, times in total.items():
        print(f"total_{what.replace(' ', '_')}: {times}")
    table = Table(
        "fault", "what was done", "how often", "events", "outcomes", "lost", "wrong", "repeats", "stall", "MB"
    )
    for row in rows:
        found = row.found
        wrong = found.contradictions + found.out_of_order + found.off_the_books + found.ends_untold + row.crashes
        wrong += found.dead_letters + found.stale_snapshots + (row.as_undisturbed is False)
        done = ", ".join(f"{times} {what}" for what, times in row.kills.items()) or "—"
        share = f"{found.repeats} ({found.repeats / found.outcomes:.1%})" if found.outcomes else "0"
        cells = [done, row.events, found.outcomes, found.lost, wrong, share, f"{row.stall_s} s", row.largest_mb]
        said = "; ".join([row.what, *row.notes])
        table.add_row(row.fault, said, *(map(str, cells) if not row.skipped else [f"skipped: {row.skipped}"]))
    Console(width=None if sys.stdout.isatty() else 190).print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=f"Faults: {', '.join(listed())}.")
    parser.add_argument("--short", action="store_true", help=f"only {', '.join(SHORT)}: a minute, for CI")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="of events and dice")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="these faults, comma-separated")
    parser.add_argument("--events", type=int, help="in each run (3000; short: 800)")
    parser.add_argument("--rate", type=float, help="events a second (80; short: 50)")
    parser.add_argument("--before", default=BEFORE, help="the commit of the release before")
    parser.add_argument("--logs", type=Path, help="keep the workers' logs here")
    parser.add_argument("--json", type=Path, default=CACHE / "chaos.json", help="where the figures are kept")
    asked = parser.parse_args()
    asked.events = asked.events or (800 if asked.short else 3000)
    asked.rate = asked.rate or (50 if asked.short else 80)
    if unknown := set(asked.only) - listed().keys():
        parser.error(f"there is no fault called {', '.join(sorted(unknown))}")
    return asked


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers are away half of the time, as they should be
    try:
        sys.exit(asyncio.run(main(_arguments())))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
