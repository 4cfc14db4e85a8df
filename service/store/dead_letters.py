"""What became of dead letters, by their place on the dead-letter topic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import asyncpg

Place: TypeAlias = tuple[str, int, int]
"""Topic, partition and offset."""

_FATES = """
select f.topic, f.partition, f."offset", f.fate, f.reason, f.decided_at
from dead_letter_fate f
inner join
    unnest($1::text [], $2::integer [], $3::bigint []) as p (topic, partition, "offset")
    using (topic, partition, "offset")
"""
_SETTLE = """
insert into dead_letter_fate (topic, partition, "offset", fate, reason, decided_at)
select p.topic, p.partition, p."offset", $4, $5, $6
from unnest($1::text [], $2::integer [], $3::bigint []) as p (topic, partition, "offset")
order by p.topic, p.partition, p."offset"
on conflict do nothing
returning topic, partition, "offset"
"""
_FORGET = 'delete from dead_letter_fate where topic = $1 and partition = $2 and "offset" <= $3'


@dataclass(frozen=True, slots=True)
class Fate:
    """What was done with a dead letter, when, and why."""

    fate: Literal["replayed", "discarded"]
    reason: str | None
    decided_at: datetime


async def fates(connection: asyncpg.Connection, places: Iterable[Place]) -> dict[Place, Fate]:
    """The fates of those letters that have one."""
    rows = await connection.fetch(_FATES, *_columns(places))
    return {_place(row): Fate(row["fate"], row["reason"], row["decided_at"]) for row in rows}


async def settle(connection: asyncpg.Connection, places: Iterable[Place], fate: Fate) -> set[Place]:
    """Gives letters their fate; returns those that had none before."""
    said = (fate.fate, fate.reason, fate.decided_at)
    return {_place(row) for row in await connection.fetch(_SETTLE, *_columns(places), *said)}


async def forget(connection: asyncpg.Connection, last: Place) -> None:
    """Forgets the fates of the letters of a partition up to this place."""
    await connection.execute(_FORGET, *last)


def _place(row: asyncpg.Record) -> Place:
    return row["topic"], row["partition"], row["offset"]


def _columns(places: Iterable[Place]) -> tuple[Sequence[str], Sequence[int], Sequence[int]]:
    ordered = sorted(places)
    return (
        [topic for topic, _, _ in ordered],
        [number for _, number, _ in ordered],
        [offset for _, _, offset in ordered],
    )
