"""What has been consumed: the offset of every partition, and the identity of every event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import TypeAlias

import asyncpg

Partition: TypeAlias = tuple[str, int]

_LOCK_OFFSETS = """
insert into consumer_offset (consumer_group, topic, partition, next_offset)
select $1, t.topic, t.partition, 0
from unnest($2::text [], $3::integer []) as t (topic, partition)
order by t.topic, t.partition
on conflict (consumer_group, topic, partition) do update set next_offset = consumer_offset.next_offset
returning topic, partition, next_offset
"""
_READ_OFFSETS = """
select topic, partition, next_offset
from consumer_offset
where consumer_group = $1 and (topic, partition) in (select * from unnest($2::text [], $3::integer []))
"""
_ADVANCE_OFFSETS = """
update consumer_offset o
set next_offset = n.next_offset
from unnest($2::text [], $3::integer [], $4::bigint []) as n (topic, partition, next_offset)
where o.consumer_group = $1 and o.topic = n.topic and o.partition = n.partition
"""
_CLAIM = """
insert into inbox (event, content, received_at)
select e.event, e.content, $3
from unnest($1::bytea [], $2::bytea []) as e (event, content)
order by e.event, e.content
on conflict do nothing
returning event, content
"""
_RELEASE = """
with gone as (
    delete from inbox_before b
    using unnest($1::bytea [], $2::bytea []) as e (event, content)
    where b.event = e.event and b.content = e.content
)

delete from inbox i
using unnest($1::bytea [], $2::bytea []) as e (event, content)
where i.event = e.event and i.content = e.content
"""
_CONTENTS = """
select event, content, false as before from inbox where event = any($1::bytea [])
union all
select event, content, true as before from inbox_before where event = any($1::bytea [])
"""


async def lock_offsets(
    connection: asyncpg.Connection, group: str, partitions: Iterable[Partition]
) -> dict[Partition, int]:
    """The next offset of each partition, its row locked until the transaction ends.

    Another worker that still believes it owns a partition waits here, and then sees what was done.
    """
    topics, numbers = _columns(partitions)
    rows = await connection.fetch(_LOCK_OFFSETS, group, topics, numbers)
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def read_offsets(
    connection: asyncpg.Connection, group: str, partitions: Iterable[Partition]
) -> dict[Partition, int]:
    """Where to go on consuming: only the partitions that have been consumed before."""
    topics, numbers = _columns(partitions)
    rows = await connection.fetch(_READ_OFFSETS, group, topics, numbers)
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def advance_offsets(connection: asyncpg.Connection, group: str, offsets: Mapping[Partition, int]) -> None:
    """Records the next offset of each partition."""
    topics, numbers = _columns(offsets)
    following = [offsets[partition] for partition in zip(topics, numbers, strict=True)]
    await connection.execute(_ADVANCE_OFFSETS, group, topics, numbers, following)


def event_key(source: str, event_id: str) -> bytes:
    """What names an event for ever, in 16 bytes."""
    return blake2b(f"{source}\0{event_id}".encode(), digest_size=16).digest()


async def claim(
    connection: asyncpg.Connection, events: Iterable[tuple[bytes, bytes]], now: datetime
) -> dict[bytes, set[bytes]]:
    """Takes events (key, content) in; returns for each key the contents that had been taken in before.

    What the older generation of the inbox knows is taken into the younger too: a repeat is remembered anew.
    """
    wanted = sorted(set(events))
    keys, contents = [key for key, _ in wanted], [content for _, content in wanted]
    fresh = {(row["event"], row["content"]) for row in await connection.fetch(_CLAIM, keys, contents, now)}
    known: dict[bytes, set[bytes]] = {key: set() for key in keys}
    for row in await connection.fetch(_CONTENTS, keys):
        if row["before"] or (row["event"], row["content"]) not in fresh:
            known[row["event"]].add(row["content"])
    return known


async def release(connection: asyncpg.Connection, events: Iterable[tuple[bytes, bytes]]) -> None:
    """Lets go of events that were claimed and then set aside, so that they can be sent again."""
    wanted = sorted(events)
    if wanted:
        await connection.execute(_RELEASE, [event for event, _ in wanted], [content for _, content in wanted])


def _columns(partitions: Iterable[Partition]) -> tuple[list[str], list[int]]:
    ordered = sorted(partitions)
    return [topic for topic, _ in ordered], [number for _, number in ordered]
