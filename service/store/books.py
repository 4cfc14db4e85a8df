"""Where the service has come to in verifying all subscriptions, and which of them are not as their facts say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import asyncpg

from service.store.subscriptions import Key

_CLAIM = "select tenant_id, subscription_id from books for update skip locked"
_OUT_OF_BALANCE = """
select tenant_id, subscription_id
from out_of_balance
order by verified_at, tenant_id, subscription_id
limit $1
"""
_BALANCED = """
delete from out_of_balance o
using unnest($1::text [], $2::text []) as k (tenant_id, subscription_id)
where o.tenant_id = k.tenant_id and o.subscription_id = k.subscription_id
"""
_DIFFERS = """
insert into out_of_balance as o (tenant_id, subscription_id, found_at, verified_at, difference)
select n.tenant_id, n.subscription_id, $4, $4, n.difference
from unnest($1::text [], $2::text [], $3::text []) as n (tenant_id, subscription_id, difference)
on conflict (tenant_id, subscription_id) do update
set verified_at = excluded.verified_at, difference = excluded.difference
returning o.tenant_id, o.subscription_id, o.xmax = 0 as is_new
"""
_ADVANCE = "update books set tenant_id = $1, subscription_id = $2, verified = verified + $3"
_BEGIN_ANEW = """
update books
set tenant_id = '', subscription_id = '', verified = 0, began_at = $2, verified_before = verified + $1
"""


async def claim(connection: asyncpg.Connection) -> Key | None:
    """The last subscription verified in this round, for this transaction to go on from.

    None: another worker is at it.

    Raises:
        SerializationError: another worker has just been at it.
    """
    row = await connection.fetchrow(_CLAIM)
    return None if row is None else _key(row)


async def out_of_balance(connection: asyncpg.Connection, limit: int) -> list[Key]:
    """Those found to differ, least lately verified first."""
    return [_key(row) for row in await connection.fetch(_OUT_OF_BALANCE, limit)]


async def note(
    connection: asyncpg.Connection, verified: Iterable[Key], differences: Mapping[Key, str], now: datetime
) -> list[Key]:
    """Notes which of those verified differ, and in what; those that did not before."""
    balanced = [key for key in verified if key not in differences]
    await connection.execute(_BALANCED, *_columns(balanced))
    rows = await connection.fetch(_DIFFERS, *_columns(differences), list(differences.values()), now)
    return [_key(row) for row in rows if row["is_new"]]


async def advance(connection: asyncpg.Connection, verified: int, last: Key | None, now: datetime) -> None:
    """Has come to `last` with so many more; None: to the end, and a new round begins."""
    if last is None:
        await connection.execute(_BEGIN_ANEW, verified, now)
    else:
        await connection.execute(_ADVANCE, *last, verified)


def _columns(keys: Iterable[Key]) -> tuple[list[str], list[str]]:
    listed = list(keys)
    return [tenant for tenant, _ in listed], [subscription for _, subscription in listed]


def _key(row: asyncpg.Record) -> Key:
    return row["tenant_id"], row["subscription_id"]
