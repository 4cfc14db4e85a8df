"""How Postgres does what the flow asks of it, on tables of a size: which indexes it uses, and how many rows it reads.

The flow itself runs, on connections that report the plan of every statement they have carried out. So a statement
that is added is looked at without being named anywhere.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

GROWING = {"subscription", "inbox", "inbox_before", "outbox", "parked", "policy"}
"""The tables that are as large as the business is, or as what has come in lately."""

_REPORT = """
load 'auto_explain';
set auto_explain.log_min_duration = 0;
set auto_explain.log_analyze = on;
set auto_explain.log_timing = off;
set auto_explain.log_format = json;
set auto_explain.log_level = log;
set client_min_messages = log;
"""
_FILL = (
    """
    insert into subscription (tenant_id, subscription_id, customer_id, due_at, ends_at, open_since, updated_at)
    select
        'T' || n % 1000, 'S' || n, 'C' || n / 2, case when n % 5 = 0 then $2::timestamptz + n * interval '1 minute' end,
        case when n % 5 = 0 then $2::timestamptz + n * interval '1 minute' end,
        case when n % 50 = 0 then $2 end, $2
    from generate_series(1, $1) as n
    """,
    """
    insert into fact (tenant_id, subscription_id, source, event_id, type, time, recorded_at, data)
    select 'T' || n % 1000, 'S' || n, 'filled', 'E' || n, 'invoice-paid', $2, $2, '{}'
    from generate_series(1, $1) as n
    """,
    """
    insert into inbox (event, content, received_at)
    select decode(md5(n::text), 'hex'), decode(md5('c' || n), 'hex'), $2 from generate_series(1, $1) as n
    """,
    """
    insert into inbox_before (event, content, received_at)
    select decode(md5('b' || n), 'hex'), decode(md5('c' || n), 'hex'), $2 from generate_series(1, $1) as n
    """,
    """
    insert into outbox (shard, topic, key, value, headers, created_at)
    select n % 16, 'filled', 'key', 'value', '{}', $2 from generate_series(1, $1 / 20) as n
    """,
    """
    insert into parked
    (tenant_id, subscription_id, topic, partition, "offset", timestamp_ms, headers, recorded_at, expires_at)
    select 'T' || n % 1000, 'S' || n, 'filled', 0, n, 0, '{}', $2, $2::timestamptz + n * interval '1 second'
    from generate_series(1, $1 / 2) as n
    """,
    """
    insert into policy (tenant_id, time, recorded_at, source, event_id, data)
    select 'T' || n % 100000, $2, $2, 'filled', 'P' || n, '{}' from generate_series(1, $1 / 10) as n
    """,
)


@dataclass(frozen=True, slots=True)
class Scan:
    """One look into a table: by which index (None: from its first row to its last), and how many rows that read."""

    table: str
    index: str | None
    rows: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How one statement was carried out."""

    statement: str
    scans: tuple[Scan, ...]

    @property
    def seen(self) -> str:
        """The statement on one line, short enough to be read."""
        return " ".join(self.statement.split())[:160]


@dataclass
class Plans:
    """Every statement that was carried out, and how."""

    found: list[Plan] = field(default_factory=list)

    def heard(self, _: object, message: asyncpg.PostgresLogMessage) -> None:
        """Takes what a connection reports."""
        _, marked, text = message.message.partition("plan:\n")
        if marked:
            reported = json.loads(text)
            self.found.append(Plan(reported["Query Text"], tuple(_scans(reported["Plan"]))))

    def scans(self) -> Iterator[tuple[Plan, Scan]]:
        """Every look into a table that grows."""
        for plan in self.found:
            for scan in plan.scans:
                if scan.table in GROWING:
                    yield plan, scan


async def fill(connection: asyncpg.Connection, rows: int, due: datetime) -> None:
    """Makes all tables that grow as large as those of so many subscriptions; some are due then, one after the other."""
    for statement in _FILL:
        await connection.execute(statement, rows, due)
    await connection.execute("vacuum (analyze, freeze)")


@dataclass
class Reporting:
    """In place of a pool: one connection, which reports the plan of all it does."""

    connection: asyncpg.Connection
    plans: Plans

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.Connection]:
        """Lends the connection."""
        yield self.connection


@asynccontextmanager
async def reporting(database: str) -> AsyncIterator[Reporting]:
    """A connection that reports the plan of all it does."""
    connection, plans = await asyncpg.connect(database), Plans()
    connection.add_log_listener(plans.heard)
    await connection.execute(_REPORT)
    try:
        yield Reporting(connection, plans)
    finally:
        connection.remove_log_listener(plans.heard)
        await connection.close()


def _scans(node: dict[str, Any]) -> Iterator[Scan]:
    loops = node.get("Actual Loops", 1)
    read = (node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)) * loops
    match node["Node Type"]:
        case "Seq Scan" | "Sample Scan" | "Bitmap Heap Scan":
            index = None if node["Node Type"] == "Seq Scan" else _index_below(node)
            yield Scan(node["Relation Name"], index, read)
        case "Index Scan" | "Index Only Scan":
            yield Scan(node["Relation Name"], node["Index Name"], read)
    for below in node.get("Plans", ()):
        yield from _scans(below)


def _index_below(node: dict[str, Any]) -> str | None:
    for below in node.get("Plans", ()):
        found = below.get("Index Name") or _index_below(below)
        if found:
            return str(found)
    return None
