"""The subscriptions: locked, read, written back, with the facts they were folded from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeAlias

import asyncpg
from pydantic import TypeAdapter

from service.domain.subscription import Subscription
from service.store.records import Incoming, flatten, unflatten
from service.turns import in_turns

Key: TypeAlias = tuple[str, str]
"""Tenant id and subscription id."""

Digests: TypeAlias = dict[Key, bytes]
"""Of all outcomes published for a subscription; none published is no digest."""

_STATE = TypeAdapter(Subscription)

_PLACE = """
insert into subscription (tenant_id, subscription_id, updated_at)
select k.tenant_id, k.subscription_id, $3
from unnest($1::text [], $2::text []) as k (tenant_id, subscription_id)
order by k.tenant_id, k.subscription_id
on conflict do nothing
"""
_LOCK = """
select s.tenant_id, s.subscription_id, s.state, s.published, s.held_since, s.held_because
from subscription s
inner join unnest($1::text [], $2::text []) as k (tenant_id, subscription_id) using (tenant_id, subscription_id)
order by s.tenant_id, s.subscription_id
for update of s
"""
_LOCK_DUE = """
select tenant_id, subscription_id, state, published, held_since, held_because
from subscription
where due_at <= $1 and held_since is null
order by due_at
limit $2
for update skip locked
"""
_SAVE = """
update subscription s
set
    customer_id = n.customer_id,
    sequence = n.sequence,
    due_at = n.due_at,
    state = n.state::json,
    published = n.published,
    open_since = n.open_since,
    ends_at = n.ends_at,
    updated_at = $10
from
    unnest(
        $1::text [],
        $2::text [],
        $3::text [],
        $4::bigint [],
        $5::timestamptz [],
        $6::text [],
        $7::bytea [],
        $8::timestamptz [],
        $9::timestamptz []
    ) as n (tenant_id, subscription_id, customer_id, sequence, due_at, state, published, open_since, ends_at)
where s.tenant_id = n.tenant_id and s.subscription_id = n.subscription_id
"""
_HOLD = """
update subscription s
set held_since = n.held_since, held_because = n.held_because
from
    unnest($1::text [], $2::text [], $3::timestamptz [], $4::text [])
        as n (tenant_id, subscription_id, held_since, held_because)
where s.tenant_id = n.tenant_id and s.subscription_id = n.subscription_id
"""
_UNPARK = """
delete from parked p
using unnest($1::text [], $2::text []) as k (tenant_id, subscription_id)
where p.tenant_id = k.tenant_id and p.subscription_id = k.subscription_id
returning p.*
"""
_EXPIRED = """
select distinct tenant_id, subscription_id
from (select tenant_id, subscription_id from parked where expires_at <= $1 order by expires_at limit $2) as expired
"""
_UNPARK_EXPIRED = """
delete from parked p
using unnest($1::text [], $2::text []) as k (tenant_id, subscription_id)
where p.tenant_id = k.tenant_id and p.subscription_id = k.subscription_id and p.expires_at <= $3
returning p.*
"""
_FORGET_PLACES = """
delete from subscription s
using unnest($1::text [], $2::text []) as k (tenant_id, subscription_id)
where
    s.tenant_id = k.tenant_id and s.subscription_id = k.subscription_id and s.state is null
    and not exists (
        select from parked p where p.tenant_id = s.tenant_id and p.subscription_id = s.subscription_id
    )
"""
_OPEN = """
select state
from subscription
where open_since <= $1 and ($2::text is null or tenant_id = $2)
order by open_since, tenant_id, subscription_id
limit $3
"""
_READ = "select state from subscription where tenant_id = $1 and subscription_id = $2"


@dataclass(frozen=True, slots=True)
class StoredFact:
    """One thing that was decided on, as it is kept, with all else that the decision depended on.

    `data` is the event's data as JSON, `policies` how many of the tenant's policies had been
    recorded by then, `conflicting` that the event's id had been used before with other content,
    `content` the digest of what the event said before a person was taken out of it.
    """

    key: Key
    source: str
    event_id: str
    type: str
    time: datetime
    recorded_at: datetime
    data: bytes
    policies: int
    conflicting: bool = False
    content: bytes | None = None

    @property
    def digest(self) -> bytes:
        """All of it in 16 bytes."""
        times = (instant.astimezone(UTC).isoformat() for instant in (self.time, self.recorded_at))
        flags = (str(self.policies), str(self.conflicting))
        said = () if self.content is None else (self.content.hex(),)
        parts = (*self.key, self.source, self.event_id, self.type, *times, *flags, *said)
        return blake2b("\0".join(parts).encode() + b"\0" + self.data, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Held:
    """Since when a subscription is held, and why: a decision failed, and what came after it waits in order."""

    since: datetime
    because: str


@dataclass(frozen=True, slots=True)
class Locked:
    """Subscriptions as their locked rows have them.

    `known` has None for one that nobody has activated yet, and for one whose state cannot be read;
    `unreadable` says why it cannot.
    """

    known: dict[Key, Subscription | None] = field(default_factory=dict)
    digests: Digests = field(default_factory=dict)
    held: dict[Key, Held] = field(default_factory=dict)
    unreadable: dict[Key, Exception] = field(default_factory=dict)

    def is_unheard_of(self, key: Key) -> bool:
        """Whether nobody has activated it, and an activation may."""
        return self.known[key] is None and key not in self.held and key not in self.unreadable


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that waits: for its subscription to be activated, and then until when, or to be held no more.

    `conflicting` says that its event's id had been used before with other content.
    """

    key: Key
    record: Incoming
    recorded_at: datetime
    expires_at: datetime | None
    conflicting: bool = False


async def lock(connection: asyncpg.Connection, keys: Iterable[Key], now: datetime) -> Locked:
    """The subscriptions, locked in the order of their keys.

    A row is made for one that nobody has activated yet, so that a request that waits and the activation it waits for
    cannot miss each other; and made again where another worker forgets it just then.
    """
    tenants, ids = _columns(keys)
    while True:
        await connection.execute(_PLACE, tenants, ids, now)
        rows = await connection.fetch(_LOCK, tenants, ids)
        if len(rows) == len(ids):
            return await _locked(rows)


async def lock_due(connection: asyncpg.Connection, now: datetime, limit: int) -> Locked:
    """The subscriptions whose time has come, oldest first; those held, or locked by another worker, are passed over."""
    return await _locked(await connection.fetch(_LOCK_DUE, now, limit))


async def save(
    connection: asyncpg.Connection,
    subscriptions: Sequence[tuple[Subscription, datetime | None]],
    digests: Digests,
    now: datetime,
) -> None:
    """Writes subscriptions back, each with the instant it is next due."""
    if not subscriptions:
        return
    await connection.execute(
        _SAVE,
        [s.tenant_id for s, _ in subscriptions],
        [s.subscription_id for s, _ in subscriptions],
        [s.agreement.customer_id for s, _ in subscriptions],
        [s.told.sequence for s, _ in subscriptions],
        [due for _, due in subscriptions],
        [state_json(s) async for s, _ in in_turns(subscriptions)],
        [digests.get((s.tenant_id, s.subscription_id)) for s, _ in subscriptions],
        [open_since(s) for s, _ in subscriptions],
        [ends_at(s) for s, _ in subscriptions],
        now,
    )


async def hold(connection: asyncpg.Connection, held: Mapping[Key, Held | None]) -> None:
    """Writes which subscriptions are held, and which no more (None). They are locked."""
    if held:
        tenants, ids = _columns(held)
        states = [held[key] for key in zip(tenants, ids, strict=True)]
        since = [None if state is None else state.since for state in states]
        await connection.execute(_HOLD, tenants, ids, since, [None if s is None else s.because for s in states])


async def read(connection: asyncpg.Connection, key: Key) -> Subscription | None:
    """One subscription, not locked."""
    text = await connection.fetchval(_READ, *key)
    return None if text is None else read_state(text)


def open_since(subscription: Subscription) -> datetime | None:
    """When the oldest adjustment was decided that nobody has carried out yet."""
    return min((adjustment.decided_at for adjustment in subscription.open_adjustments), default=None)


def ends_at(subscription: Subscription) -> datetime | None:
    """When access ends, until that is sealed."""
    told = subscription.told
    return None if told.end is None or told.ended else told.end.access_ends_at


def state_json(subscription: Subscription) -> str:
    """A subscription as its row holds it."""
    return _STATE.dump_json(subscription, exclude_defaults=True).decode()


def read_state(text: str) -> Subscription:
    """The subscription that `state_json` wrote.

    Raises:
        pydantic.ValidationError: it wrote no such thing.
    """
    return _STATE.validate_json(text)


async def with_open_adjustments(
    connection: asyncpg.Connection, until: datetime, tenant: str | None, limit: int
) -> list[Subscription]:
    """Subscriptions with an adjustment that was decided by then and is still open, the oldest first; not locked."""
    return [read_state(row["state"]) for row in await connection.fetch(_OPEN, until, tenant, limit)]


async def keep_facts(connection: asyncpg.Connection, facts: Sequence[StoredFact]) -> None:
    """Appends to the history."""
    if facts:
        await connection.copy_records_to_table(
            "fact",
            records=[
                (
                    *(*f.key, f.source, f.event_id, f.type, f.time, f.recorded_at, f.data),
                    *(f.policies, f.conflicting, f.digest),
                )
                for f in facts
            ],
            columns=[
                *("tenant_id", "subscription_id", "source", "event_id", "type", "time", "recorded_at", "data"),
                *("policies", "conflicting", "digest"),
            ],
        )


async def park(connection: asyncpg.Connection, parked: Sequence[Parked]) -> None:
    """Keeps records that wait for their subscriptions, in order."""
    if parked:
        await connection.copy_records_to_table(
            "parked",
            records=[
                (
                    *p.key,
                    p.record.topic,
                    p.record.partition,
                    p.record.offset,
                    p.record.timestamp,
                    p.record.key,
                    p.record.value,
                    flatten(p.record.headers),
                    p.recorded_at,
                    p.expires_at,
                    p.conflicting,
                )
                for p in parked
            ],
            columns=[
                *("tenant_id", "subscription_id", "topic", "partition", "offset", "timestamp_ms"),
                *("key", "value", "headers", "recorded_at", "expires_at", "conflicting"),
            ],
        )


async def unpark(connection: asyncpg.Connection, keys: Iterable[Key]) -> dict[Key, list[Parked]]:
    """Takes out what waited for these subscriptions, in the order it came. The subscriptions are locked."""
    return _by_key(await connection.fetch(_UNPARK, *_columns(keys)))


async def expired(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Key]:
    """Subscriptions that something has waited for too long."""
    return [(row["tenant_id"], row["subscription_id"]) for row in await connection.fetch(_EXPIRED, now, limit)]


async def unpark_expired(connection: asyncpg.Connection, keys: Sequence[Key], now: datetime) -> dict[Key, list[Parked]]:
    """Takes out what has waited too long, and the rows that were only places to wait. The subscriptions are locked."""
    taken = _by_key(await connection.fetch(_UNPARK_EXPIRED, *_columns(keys), now))
    await connection.execute(_FORGET_PLACES, *_columns(keys))
    return taken


def _by_key(rows: Iterable[asyncpg.Record]) -> dict[Key, list[Parked]]:
    taken: dict[Key, list[Parked]] = {}
    for row in sorted(rows, key=lambda row: row["position"]):
        key = (row["tenant_id"], row["subscription_id"])
        record = Incoming(
            topic=row["topic"],
            partition=row["partition"],
            offset=row["offset"],
            timestamp=row["timestamp_ms"],
            key=row["key"],
            value=row["value"],
            headers=unflatten(row["headers"]),
        )
        waits = Parked(key, record, row["recorded_at"], row["expires_at"], row["conflicting"])
        taken.setdefault(key, []).append(waits)
    return taken


async def _locked(rows: Iterable[asyncpg.Record]) -> Locked:
    locked = Locked()
    async for row in in_turns(rows):
        key = _key(row)
        try:
            locked.known[key] = None if row["state"] is None else read_state(row["state"])
        except Exception as error:  # noqa: BLE001  whatever is wrong with it, its neighbours go on
            locked.known[key], locked.unreadable[key] = None, error
        if row["published"] is not None:
            locked.digests[key] = row["published"]
        if row["held_since"] is not None:
            locked.held[key] = Held(row["held_since"], row["held_because"])
    return locked


def _key(row: asyncpg.Record) -> Key:
    return row["tenant_id"], row["subscription_id"]


def _columns(keys: Iterable[Key] | Mapping[Key, object]) -> tuple[list[str], list[str]]:
    ordered = sorted(keys)
    return [tenant for tenant, _ in ordered], [subscription for _, subscription in ordered]
