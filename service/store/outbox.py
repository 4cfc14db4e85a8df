"""What has been decided and is not yet on Kafka."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from service.store.records import Outgoing, flatten, unflatten

_CLASS = 7_346_002

_TRY_LOCK = "select shard, pg_try_advisory_lock($1, shard) as held from unnest($2::integer []) as shard"
_PENDING = """
select id, topic, key, value, headers, created_at
from outbox
where shard = any($1::smallint [])
order by id
limit $2
"""
_COUNT = "select count(*) from (select from outbox limit $1) as counted"
_DELETE = "delete from outbox where id = any($1::bigint [])"


async def append(connection: asyncpg.Connection, records: Sequence[Outgoing], shards: int) -> None:
    """Adds records in order; the order of ids is the order of publishing for each key."""
    if records:
        await connection.copy_records_to_table(
            "outbox",
            records=[(r.shard(shards), r.topic, r.key, r.value, flatten(r.headers), r.created_at) for r in records],
            columns=["shard", "topic", "key", "value", "headers", "created_at"],
        )


async def has_room(connection: asyncpg.Connection, limit: int) -> bool:
    """Whether fewer records than so many wait to be published."""
    return bool(await connection.fetchval(_COUNT, limit) < limit)


async def hold(connection: asyncpg.Connection, shards: Sequence[int]) -> list[int]:
    """Tries to become the one relay of each shard; the locks go with the connection. Returns those it got."""
    rows = await connection.fetch(_TRY_LOCK, _CLASS, shards)
    return [row["shard"] for row in rows if row["held"]]


async def pending(connection: asyncpg.Connection, shards: Sequence[int], limit: int) -> list[tuple[int, Outgoing]]:
    """The oldest records of the shards held, with their ids."""
    rows = await connection.fetch(_PENDING, shards, limit)
    return [
        (row["id"], Outgoing(row["topic"], row["key"], row["value"], unflatten(row["headers"]), row["created_at"]))
        for row in rows
    ]


async def delete(connection: asyncpg.Connection, ids: Sequence[int]) -> None:
    """Forgets records that Kafka has acknowledged."""
    await connection.execute(_DELETE, ids)
