"""Customers that are forgotten: the act itself, and what it rewrites. Who it was is known only until it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from service.domain.subscription import Subscription
from service.store.records import Outgoing, flatten
from service.store.subscriptions import Key, StoredFact, state_json

_CLASS = 7_346_003

_LOCK = "select pg_try_advisory_lock($1, hashtext($2 || ':' || $3))"
_BEGIN = """
insert into erasure (erasure_id, tenant_id, customer_id, pseudonym, asked_by, began_at)
values (gen_random_uuid(), $1, $2, $3, $4, $5)
on conflict do nothing
"""
_UNDER_WAY = "select erasure_id, pseudonym from erasure where tenant_id = $1 and customer_id = $2"
_DONE = """
update erasure
set customer_id = null, done_at = $2, subscriptions = $3, dead_letters = $4
where erasure_id = $1
"""
_DROP = "delete from erasure where erasure_id = $1"
_OF_CUSTOMER = """
select subscription_id
from subscription
where tenant_id = $1 and customer_id is not null and customer_id collate "C" = any($2::text [])
order by subscription_id
"""
_REWRITE_FACTS = """
update fact f
set data = n.data, digest = n.digest, content = n.content
from
    unnest($3::bigint [], $4::bytea [], $5::bytea [], $6::bytea []) as n (position, data, digest, content)
where f.tenant_id = $1 and f.subscription_id = $2 and f.position = n.position
"""
_REWRITE_SUBSCRIPTION = """
update subscription
set customer_id = $3, state = $4::json, published = $5, updated_at = $6
where tenant_id = $1 and subscription_id = $2
"""
_REWRITE_OUTBOX = "update outbox set value = $2, headers = $3 where id = $1"
_OUTBOX_END = "select coalesce(max(id), 0) from outbox"
_WAITING = "select count(*) from outbox where id <= $1"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One act; `pseudonym` stands for the customer's id from now on."""

    erasure_id: UUID
    pseudonym: str


async def lock(connection: asyncpg.Connection, tenant: str, customer: str) -> bool:
    """Whether nobody else is forgetting this customer just now; the lock goes with the connection."""
    return bool(await connection.fetchval(_LOCK, _CLASS, tenant, customer))


async def under_way(connection: asyncpg.Connection, tenant: str, customer: str) -> Erasure | None:
    """The act that was begun for this customer and is not done, if there is one."""
    row = await connection.fetchrow(_UNDER_WAY, tenant, customer)
    return None if row is None else Erasure(row["erasure_id"], row["pseudonym"])


async def begin(
    connection: asyncpg.Connection, tenant: str, customer: str, pseudonym: str, asked_by: str, now: datetime
) -> Erasure:
    """Begins an act, or goes on with the one that was begun for this customer."""
    await connection.execute(_BEGIN, tenant, customer, pseudonym, asked_by, now)
    found = await under_way(connection, tenant, customer)
    assert found is not None, "it was just written"  # noqa: S101  a bug, not input
    return found


async def done(connection: asyncpg.Connection, act: Erasure, now: datetime, subscriptions: int, letters: int) -> None:
    """Notes that an act is done; who it was about is not known any more."""
    await connection.execute(_DONE, act.erasure_id, now, subscriptions, letters)


async def drop(connection: asyncpg.Connection, act: Erasure) -> None:
    """Forgets an act that found nothing to do."""
    await connection.execute(_DROP, act.erasure_id)


async def of_customer(connection: asyncpg.Connection, tenant: str, names: Sequence[str]) -> list[Key]:
    """The subscriptions of a customer by any of these ids."""
    return [(tenant, row["subscription_id"]) for row in await connection.fetch(_OF_CUSTOMER, tenant, names)]


async def rewrite_facts(connection: asyncpg.Connection, key: Key, facts: Sequence[tuple[int, StoredFact]]) -> None:
    """Puts facts in the place of those at their positions."""
    await connection.execute(
        _REWRITE_FACTS,
        *key,
        [position for position, _ in facts],
        [fact.data for _, fact in facts],
        [fact.digest for _, fact in facts],
        [fact.content for _, fact in facts],
    )


async def rewrite_subscription(
    connection: asyncpg.Connection, subscription: Subscription, published: bytes, now: datetime
) -> None:
    """Writes a subscription back whose facts were rewritten; what it is due for stays."""
    key = subscription.tenant_id, subscription.subscription_id
    await connection.execute(
        _REWRITE_SUBSCRIPTION,
        *key,
        subscription.agreement.customer_id,
        state_json(subscription),
        published or None,
        now,
    )


async def rewrite_outbox(connection: asyncpg.Connection, records: Sequence[tuple[int, Outgoing]]) -> None:
    """Puts records in the place of those that wait under these numbers."""
    await connection.executemany(
        _REWRITE_OUTBOX, [(number, record.value, flatten(record.headers)) for number, record in records]
    )


async def outbox_end(connection: asyncpg.Connection) -> int:
    """The number of the last record that waits to be published; all later ones have higher numbers, save a few."""
    number: int = await connection.fetchval(_OUTBOX_END)
    return number


async def waiting(connection: asyncpg.Connection, last: int) -> int:
    """How many records up to this number wait to be published."""
    number: int = await connection.fetchval(_WAITING, last)
    return number
