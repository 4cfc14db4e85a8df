"""`make rehearse`: the database is lost, restored as it was some time before, and brought to the same books from Kafka.

    python -m tests.rehearsal [--events N] [--seed N] [--json FILE]

A base backup is taken while events are decided, and the log archived. Some time later, in the middle of the stream, is
the instant to go back to. When all is decided and all ends are sealed, the books are read; then worker and database
are killed, the database is restored as of that instant, and the worker started again: it goes on where the database
says. A second time the offsets are of no use, as where Kafka was lost too and its copy counts anew: under another
consumer group all that the topics hold is read once more, and the inbox knows what has been decided.

Exits with 1 unless the books are equal.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from tests.chaos import servers
from tests.chaos.run import FUTURE, Place, Plan, Row, Run, made_ready, settled
from tests.chaos.workers import kept
from tests.rehearsal.backup import Backup
from tests.rehearsal.books import Books, Published, books, published

_PACE = 200
"""Events a second: slow enough for a base backup and an instant in the middle."""
_REGIONS = {"restored": "", "restored, offsets anew": "delete from consumer_offset"}


async def main(events: int, seed: int, kept_in: Path | None) -> int:
    """Rehearses both, says what came of it, and whether all was as before."""
    async with servers.home() as folder:
        brokers, database = await servers.cluster(folder), servers.database(folder)
        place = Place(brokers, database, folder)
        run = Run(Plan(events=events, rate=_PACE, seed=seed, workers=1), Row("rehearsal", "", seed), place, folder)
        async with servers.running(brokers.brokers[0], database):
            await made_ready(run)
            before, told, back = await _life(run, folder)
            columns: dict[str, Books] = {"before": before}
            notes: list[str] = []
            await database.kill()
            for name, sql in _REGIONS.items():
                at_first, after, seen = await _again(run, folder / secrets.token_hex(4), back, sql)
                columns[f"{name}: at first"], columns[name] = at_first, after
                notes.append(_compared(name, told, seen, after))
                told = seen
    _show(columns, notes)
    if kept_in is not None:
        document = {"books": {name: each.lines() for name, each in columns.items()}, "published": notes}
        kept_in.write_text(json.dumps(document, indent=1))
    caught_up = {name: each.digest for name, each in columns.items() if "at first" not in name}
    equal, went_back = len({*caught_up.values()}) == 1, columns["restored: at first"].digest != before.digest
    return 0 if equal and went_back else 1


async def _life(run: Run, folder: Path) -> tuple[Books, Published, tuple[Backup, datetime]]:
    """Everything as it should be: the books, what was published, and what there is to go back to."""
    backup = Backup(run.database.address, folder / "backup", folder / "postgres/password")
    async with backup.archiving():
        async with _working(run):
            while not run.slots[0].ready():
                await asyncio.sleep(0.1)
            sending = asyncio.create_task(run.sender.run(run.brokers.direct, run.topics))
            await _decided(run, 0.1)
            await backup.take()
            await _decided(run, 0.5)
            instant: datetime = await _asked(run.url, "select clock_timestamp()")
            await sending
            await settled(run, "events", 0)
            await _seal(run)
            kafka = run.brokers.direct
            before, told = await books(run.url, kafka), await published(kafka, run.topics)
        await backup.received()
    return before, told, (backup, instant)


async def _again(run: Run, home: Path, back: tuple[Backup, datetime], sql: str) -> tuple[Books, Books, Published]:
    """The database as it was, and what it has come to when the worker has caught up."""
    backup, instant = back
    run.clock.write_text("0")
    server = await backup.restored(home, instant)
    try:
        await _asked(run.url, sql)
        at_first = await books(run.url, run.brokers.direct)
        async with _working(run, "-anew" if sql else ""):
            await settled(run, "events", 0)
            await _seal(run)
            kafka = run.brokers.direct
            return at_first, await books(run.url, kafka), await published(kafka, run.topics)
    finally:
        await server.stop()


@asynccontextmanager
async def _working(run: Run, group: str = "") -> AsyncIterator[None]:
    """A worker for as long as the context lasts; it is killed, not stopped."""
    slot = run.slot(0)
    slot.environment = {**slot.environment, "CONSUMER_GROUP": run.name + group}
    run.slots = [slot]
    async with kept(run.slots):
        try:
            yield
        finally:
            slot.restarts = False
            slot.signal(signal.SIGKILL)
            if slot.process is not None:
                await slot.process.wait()


async def _seal(run: Run) -> None:
    run.clock.write_text(str(FUTURE))
    await settled(run, "ends", FUTURE)


async def _decided(run: Run, share: float) -> None:
    """Waits until so much of all there is has been decided."""
    decided = "select coalesce(sum(next_offset), 0) from consumer_offset"
    while await _asked(run.url, decided) < share * run.sender.total:
        await asyncio.sleep(0.1)


async def _asked(url: str, sql: str) -> Any:  # noqa: ANN401  whatever the statement gives
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql) if sql else None
    finally:
        await connection.close()


def _compared(name: str, before: Published, after: Published, known: Books) -> str:
    again = after.times - before.times
    fresh = sum(times for event_id, times in again.items() if event_id not in before.values)
    strange = len(after.adjustments - known.adjustments)
    return (
        f"{name}: {again.total()} of {before.total} outcomes published again: {again.total() - fresh} under the id they"
        f" had, {after.otherwise - before.otherwise} of them with another content; {fresh} under an id of their own."
        f" {strange} adjustments lie on the topic that the books do not know"
    )


def _show(columns: dict[str, Books], notes: list[str]) -> None:
    table = Table(title="The books, before the loss and after the restore")
    for name in ("", *columns):
        table.add_column(name, justify="left" if not name else "right")
    lines = {name: books.lines() for name, books in columns.items()}
    for figure in lines["before"]:
        table.add_row(figure, *(line.get(figure, "-") for line in lines.values()))
    console = Console(width=150)
    console.print(table)
    for note in notes:
        console.print(note, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Rehearses the restore of a lost database.")
    asked.add_argument("--events", type=int, default=6000)
    asked.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    asked.add_argument("--json", type=Path)
    arguments = asked.parse_args()
    sys.exit(asyncio.run(main(arguments.events, arguments.seed, arguments.json)))
