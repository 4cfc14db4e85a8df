"""What an event and a subscription cost: processor time of each server, bytes on disk, in the log and on the topics.

`deploy/CAPACITY.md` is worked out from these.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from service.store.records import Outgoing
from tests.benchmarks.stage import preloaded, staged
from tests.benchmarks.workload import MODEL, story, stream

if TYPE_CHECKING:
    from tests.benchmarks.__main__ import Bench

_TICKS = os.sysconf("SC_CLK_TCK")


async def measure(bench: Bench) -> None:
    """Runs the stream once and looks at what has been used."""
    existing, touched = bench.size.subscriptions, bench.size.touched
    async with preloaded(bench.found, bench.model, existing) as database, staged(bench.found, database) as stage:
        connection = await asyncpg.connect(stage.url)
        backend = await connection.fetchval("select pg_backend_pid()")
        bench.figure("subscription_bytes", [await _bytes_a_row(connection, "subscription")])
        bench.figure("fact_bytes", [await _bytes_a_row(connection, "fact")])
        events = await stage.send(stream(existing, touched))
        before, wal = _processor_seconds(backend), await connection.fetchval("select pg_current_wal_lsn()")
        result = await stage.run("service", events)
        after = _processor_seconds(backend)
        written = await connection.fetchval("select (pg_current_wal_lsn() - $1::pg_lsn)::float", wal)
        bench.figure("inbox_bytes", [await _bytes_a_row(connection, "inbox")])
        await connection.close()
    bench.figure("worker_us_per_event", [result.cpu_seconds / events * 1e6])
    for server in before:
        bench.figure(f"{server}_us_per_event", [(after[server] - before[server]) / events * 1e6])
    bench.figure("wal_bytes_per_event", [written / events])
    names = ("cancel", "move", "revoke", "renew", "race")
    led_to = [records for name in names for records in bench.model.outcomes(story(name, MODEL))]
    size = sum(_size(record) for records in led_to for record in records)
    bench.figure("outcome_bytes_per_event", [size / len(led_to)])


async def _bytes_a_row(connection: asyncpg.Connection, table: str) -> float:
    """With its indexes, and what is stored out of line."""
    size, count = await connection.fetchrow(f"select pg_total_relation_size('{table}'), count(*) from {table}")  # noqa: S608
    return float(size / count)


def _processor_seconds(backend: int) -> dict[str, float]:
    """Of Postgres and Kafka so far, all their processes together; `backend` is a process of that Postgres."""
    stats = {int(process.name): _stat(process) for process in Path("/proc").glob("[0-9]*")}
    postmaster = int(stats[backend][1])
    family = [stat for pid, stat in stats.items() if pid == postmaster or stat[1:2] == [str(postmaster)]]
    brokers = [stats[pid] for pid in stats if stats[pid] and b"kafka.Kafka" in _command(pid)]
    ended = sum(int(part) for part in stats[postmaster][13:15])
    return {
        "postgres": (ended + sum(_ticks(stat) for stat in family)) / _TICKS,
        "broker": sum(map(_ticks, brokers)) / _TICKS,
    }


def _stat(process: Path) -> list[str]:
    """What stands after the name: state, parent and so on; empty for one that has ended."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _ticks(stat: list[str]) -> int:
    return int(stat[11]) + int(stat[12])


def _size(record: Outgoing) -> int:
    names = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + names
