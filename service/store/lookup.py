"""What a reader looks up: one subscription, those whose id or customer begins with a text, or all. No lock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg

from service.domain.subscription import Subscription
from service.store.subscriptions import Held, Key, read_state

_ONE = """
select tenant_id, subscription_id, state, held_since, held_because
from subscription
where tenant_id = $1 and subscription_id = $2
"""
# Everything that begins with a text lies from the text up to the text and the last code point there is.
_BY_ID = """
select tenant_id, subscription_id, state, held_since, held_because
from subscription
where
    tenant_id = $1 and subscription_id collate "C" >= $2 and subscription_id collate "C" < $2 || $3
    and subscription_id collate "C" > $5
order by subscription_id collate "C"
limit $4
"""
_BY_CUSTOMER = """
select tenant_id, subscription_id, state, held_since, held_because
from subscription
where
    tenant_id = $1 and customer_id collate "C" < $2 || $3
    and (customer_id collate "C", subscription_id collate "C") > ($5, $6)
    and not (subscription_id collate "C" >= $2 and subscription_id collate "C" < $2 || $3)
order by customer_id collate "C", subscription_id collate "C"
limit $4
"""
_CUSTOMER = "select customer_id from subscription where tenant_id = $1 and subscription_id = $2"
_EVERY = """
select tenant_id, subscription_id, state, held_since, held_because
from subscription
where state is not null and ($1::text is null or tenant_id = $1)
order by tenant_id, subscription_id
"""
_AT_ONCE = 500
_LAST_CODE_POINT = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Found:
    """A subscription as it is stored.

    Without `subscription` it is only waited for: nobody has activated it yet; or its state cannot be read, and
    `unreadable` says why.
    """

    key: Key
    subscription: Subscription | None
    held: Held | None
    unreadable: Exception | None = None


async def one(connection: asyncpg.Connection, key: Key) -> Found | None:
    """The subscription of that key, if anything has ever come for it."""
    row = None if _unstorable(*key) else await connection.fetchrow(_ONE, *key)
    return None if row is None else _found(row)


async def beginning_with(
    connection: asyncpg.Connection, tenant: str, text: str, limit: int, after: str = ""
) -> list[Found]:
    """A tenant's subscriptions whose id, or whose customer's id, begins with a text: by id first, each once.

    `after` is the id of the last one found before; those that follow it are found then.
    """
    if _unstorable(tenant, text, after):
        return []
    rows, customer = [], text
    if not after or after.startswith(text):
        rows = await connection.fetch(_BY_ID, tenant, text, _LAST_CODE_POINT, limit, after)
        after = ""
    else:
        customer = await connection.fetchval(_CUSTOMER, tenant, after)
        if customer is None:
            return []
    if len(rows) < limit:
        left = limit - len(rows)
        start = max(customer, text)  # where the index begins to read: it goes by this bound alone
        rows += await connection.fetch(_BY_CUSTOMER, tenant, text, _LAST_CODE_POINT, left, start, after)
    return [_found(row) for row in rows]


async def every(connection: asyncpg.Connection, tenant: str | None) -> AsyncIterator[Found]:
    """All subscriptions of a tenant, or of all, in the order of their keys; within a transaction, over a cursor."""
    if tenant is not None and _unstorable(tenant):
        return
    async for row in connection.cursor(_EVERY, tenant, prefetch=_AT_ONCE):
        yield _found(row)


def _unstorable(*texts: str) -> bool:
    """Whether no row can hold one of these."""
    return any("\0" in text for text in texts)


def _found(row: asyncpg.Record) -> Found:
    key, since = (row["tenant_id"], row["subscription_id"]), row["held_since"]
    held = None if since is None else Held(since, row["held_because"])
    try:
        return Found(key, None if row["state"] is None else read_state(row["state"]), held)
    except Exception as error:  # noqa: BLE001  whatever is wrong with it, its neighbours can be shown
        return Found(key, None, held, error)
