# ruff: noqa: SLF001  the statements and steps of the service are what is stood in for
"""The statements of the store, one by one, as the database in memory carries them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from service.ops import verify
from service.store import housekeeping, inbox, outbox, policies, subscriptions
from tests.simulation.postgres import Connection, Row, Transaction, columns, knows

Texts: TypeAlias = Sequence[str]
Numbers: TypeAlias = Sequence[int]
Bytes: TypeAlias = Sequence[bytes]

# Offsets and inbox.


@knows(inbox._LOCK_OFFSETS)
async def lock_offsets(c: Connection, t: Transaction, group: str, topics: Texts, numbers: Numbers) -> list[Row]:
    rows = []
    for topic, partition in sorted(columns(topics, numbers)):
        key = (group, topic, partition)
        row = await c.database.lock(t, "consumer_offset", key)
        if row is None:
            row = {"consumer_group": group, "topic": topic, "partition": partition, "next_offset": 0}
        c.database.write(t, "consumer_offset", key, row)
        rows.append(row)
    return rows


@knows(inbox._READ_OFFSETS)
async def read_offsets(c: Connection, t: Transaction, group: str, topics: Texts, numbers: Numbers) -> list[Row]:
    found = (c.database.see(t, "consumer_offset", (group, *each)) for each in columns(topics, numbers))
    return [row for row in found if row is not None]


@knows(inbox._ADVANCE_OFFSETS)
async def advance_offsets(
    c: Connection, t: Transaction, group: str, topics: Texts, numbers: Numbers, following: Numbers
) -> list[Row]:
    for topic, partition, offset in columns(topics, numbers, following):
        await _update(c, t, "consumer_offset", (group, topic, partition), {"next_offset": offset})
    return []


@knows(inbox._CLAIM)
async def claim(c: Connection, t: Transaction, events: Bytes, contents: Bytes, now: datetime) -> list[Row]:
    await c.database.share(t, "inbox")
    rows: list[Row] = [
        {"event": event, "content": content, "received_at": now} for event, content in sorted(columns(events, contents))
    ]
    return [row for row in rows if await c.database.insert_unless_there(t, "inbox", row)]


@knows(inbox._CONTENTS)
async def contents(c: Connection, t: Transaction, events: Bytes) -> list[Row]:
    wanted, rows = set(events), []
    for table in ("inbox", "inbox_before"):
        await c.database.share(t, table)
        found = (row for row in c.database.scan(t, table) if row["event"] in wanted)
        rows += [{**row, "before": table == "inbox_before"} for row in found]
    return rows


@knows(inbox._RELEASE)
async def release(c: Connection, t: Transaction, events: Bytes, of: Bytes) -> list[Row]:
    for table in ("inbox_before", "inbox"):
        await c.database.share(t, table)
        await _delete(c, t, table, columns(events, of))
    return []


@knows(housekeeping._DUE)
async def due(c: Connection, t: Transaction, task: str, now: datetime, before: datetime) -> list[Row]:
    row = c.database.see(t, "housekeeping", (task,))
    if row is None or row["done_at"] > before:
        return []
    row = await c.database.lock(t, "housekeeping", (task,))
    if row is None or row["done_at"] > before:
        return []
    c.database.write(t, "housekeeping", (task,), {**row, "done_at": now})
    return [{"task": task}]


@knows(housekeeping._WAIT)
async def wait_no_longer(_: Connection, __: Transaction) -> list[Row]:
    return []


@knows(housekeeping._LOCK_INBOX)
async def lock_inbox(c: Connection, t: Transaction) -> list[Row]:
    await c.database.lock_table(t, "inbox")
    await c.database.lock_table(t, "inbox_before")
    return []


@knows(housekeeping._ROTATE_INBOX)
async def rotate_inbox(c: Connection, t: Transaction) -> list[Row]:
    emptied, kept = (list(c.database.tables[table].items()) for table in ("inbox_before", "inbox"))
    for key, _ in emptied:
        c.database.write(t, "inbox_before", key, None)
    for key, row in kept:
        c.database.write(t, "inbox", key, None)
        c.database.write(t, "inbox_before", key, row)
    return []


@knows(housekeeping._FORGET_FATES)
async def forget_fates(_: Connection, __: Transaction, ___: datetime) -> list[Row]:
    return []  # nobody mends a letter here


# Subscriptions, facts and what waits.


@knows(subscriptions._PLACE)
async def place(c: Connection, t: Transaction, tenants: Texts, ids: Texts, now: datetime) -> list[Row]:
    for tenant, name in sorted(columns(tenants, ids)):
        row = {"tenant_id": tenant, "subscription_id": name, "updated_at": now}
        await c.database.insert_unless_there(t, "subscription", row)
    return []


@knows(subscriptions._LOCK)
async def lock(c: Connection, t: Transaction, tenants: Texts, ids: Texts) -> list[Row]:
    seen = [key for key in sorted(columns(tenants, ids)) if c.database.see(t, "subscription", key) is not None]
    rows = [await c.database.lock(t, "subscription", key) for key in seen]
    return [row for row in rows if row is not None]


@knows(subscriptions._LOCK_DUE)
async def lock_due(c: Connection, t: Transaction, now: datetime, limit: int) -> list[Row]:
    rows: list[Row] = []
    due = [row for row in c.database.scan(t, "subscription") if row["due_at"] is not None and row["due_at"] <= now]
    for row in sorted(due, key=lambda each: (each["due_at"], _key(each))):
        if len(rows) < limit and row["held_since"] is None and c.database.is_free(t, "subscription", _key(row)):
            await c.database.lock(t, "subscription", _key(row))
            rows.append(row)
    return rows


@knows(subscriptions._SAVE)
async def save(  # noqa: PLR0913, PLR0917  as many as the statement has
    c: Connection,
    t: Transaction,
    tenants: Texts,
    ids: Texts,
    customers: Texts,
    sequences: Numbers,
    due: Sequence[datetime | None],
    states: Texts,
    published: Sequence[bytes | None],
    open_since: Sequence[datetime | None],
    ends: Sequence[datetime | None],
    now: datetime,
) -> list[Row]:
    names = ("customer_id", "sequence", "due_at", "state", "published", "open_since", "ends_at")
    for tenant, name, *values in columns(tenants, ids, customers, sequences, due, states, published, open_since, ends):
        changes = {**dict(zip(names, values, strict=True)), "updated_at": now}
        await _update(c, t, "subscription", (tenant, name), changes)
    return []


@knows(subscriptions._HOLD)
async def hold(
    c: Connection, t: Transaction, tenants: Texts, ids: Texts, since: Sequence[datetime | None], because: Texts
) -> list[Row]:
    for tenant, name, at, why in columns(tenants, ids, since, because):
        await _update(c, t, "subscription", (tenant, name), {"held_since": at, "held_because": why})
    return []


@knows(subscriptions._UNPARK)
async def unpark(c: Connection, t: Transaction, tenants: Texts, ids: Texts) -> list[Row]:
    wanted = set(columns(tenants, ids))
    rows = [row for row in c.database.scan(t, "parked") if _key(row) in wanted]
    return await _delete(c, t, "parked", [(*_key(row), row["position"]) for row in rows])


@knows(subscriptions._EXPIRED)
async def expired(c: Connection, t: Transaction, now: datetime, limit: int) -> list[Row]:
    late = [row for row in c.database.scan(t, "parked") if _is_late(row, now)]
    late = sorted(late, key=lambda row: (row["expires_at"], row["position"]))[:limit]
    keys = dict.fromkeys(_key(row) for row in late)
    return [{"tenant_id": tenant, "subscription_id": name} for tenant, name in keys]


@knows(subscriptions._UNPARK_EXPIRED)
async def unpark_expired(c: Connection, t: Transaction, tenants: Texts, ids: Texts, now: datetime) -> list[Row]:
    wanted = set(columns(tenants, ids))
    rows = [row for row in c.database.scan(t, "parked") if _key(row) in wanted and _is_late(row, now)]
    return await _delete(c, t, "parked", [(*_key(row), row["position"]) for row in rows])


@knows(subscriptions._FORGET_PLACES)
async def forget_places(c: Connection, t: Transaction, tenants: Texts, ids: Texts) -> list[Row]:
    waited_for = {_key(row) for row in c.database.scan(t, "parked")}
    for key in columns(tenants, ids):
        row = c.database.see(t, "subscription", key)
        if row is not None and row["state"] is None and key not in waited_for:
            await _delete(c, t, "subscription", [key])
    return []


# Policies.


@knows(policies._READ)
async def policies_read(c: Connection, t: Transaction, tenants: Texts) -> list[Row]:
    return _policies(c, t, tenants, lambda row: (row["tenant_id"], row["time"], row["position"]))


@knows(policies._READ_RECORDED)
async def policies_recorded(c: Connection, t: Transaction, tenants: Texts) -> list[Row]:
    return _policies(c, t, tenants, lambda row: (row["tenant_id"], row["position"]))


@knows(policies._TOUCH)
async def touch(c: Connection, t: Transaction, tenants: Texts, now: datetime) -> list[Row]:
    for row in c.database.scan(t, "subscription"):
        if row["tenant_id"] in tenants and row["due_at"] is not None:
            locked = await c.database.lock(t, "subscription", _key(row))
            if locked is not None and locked["due_at"] is not None:
                due_at = min(locked["due_at"], now)
                c.database.write(t, "subscription", _key(row), {**locked, "due_at": due_at})
    return []


# Outbox.


@knows(outbox._TRY_LOCK)
async def try_lock(c: Connection, _: Transaction, __: int, shards: Numbers) -> list[Row]:
    return [{"shard": shard, "held": c.database.advisory.setdefault(shard, c) is c} for shard in shards]


@knows(outbox._PENDING)
async def pending(c: Connection, t: Transaction, shards: Numbers, limit: int) -> list[Row]:
    rows = (row for row in c.database.scan(t, "outbox") if row["shard"] in shards)
    return sorted(rows, key=lambda row: row["id"])[:limit]


@knows(outbox._DELETE)
async def delete(c: Connection, t: Transaction, ids: Numbers) -> list[Row]:
    await _delete(c, t, "outbox", [(number,) for number in ids])
    return []


# What an operator's check reads, once all is quiet.


@knows(verify._PAGE)
async def page(
    c: Connection, t: Transaction, tenant: str, name: str, _: str | None, __: str | None, limit: int
) -> list[Row]:
    keys = {_key(row) for table in ("subscription", "fact") for row in c.database.scan(t, table)}
    following = sorted(key for key in keys if key > (tenant, name))[:limit]
    return [{"tenant_id": key[0], "subscription_id": key[1]} for key in following]


@knows(verify._ROWS)
async def rows_of(c: Connection, t: Transaction, tenants: Texts, ids: Texts) -> list[Row]:
    rows = []
    for key in sorted(columns(tenants, ids)):
        row = c.database.see(t, "subscription", key) or dict.fromkeys(("state", "published"))
        rows.append({**row, "tenant_id": key[0], "subscription_id": key[1]})
    return rows


@knows(verify._FACTS)
async def facts(c: Connection, t: Transaction, tenants: Texts, ids: Texts) -> list[Row]:
    wanted = set(columns(tenants, ids))
    found = (row for row in c.database.scan(t, "fact") if _key(row) in wanted)
    return sorted(found, key=lambda row: (*_key(row), row["position"]))


@knows(verify._WAITING)
async def waiting(c: Connection, t: Transaction, keys: Bytes, but: str) -> list[Row]:
    rows = (row for row in c.database.scan(t, "outbox") if row["key"] in keys and row["topic"] != but)
    return sorted(rows, key=lambda row: row["id"])


@knows(verify._OUTBOX)
async def outbox_page(c: Connection, t: Transaction, after: int, but: str, limit: int) -> list[Row]:
    rows = (row for row in c.database.scan(t, "outbox") if row["id"] > after and row["topic"] != but)
    return sorted(rows, key=lambda row: row["id"])[:limit]


async def _update(c: Connection, t: Transaction, table: str, key: tuple[Any, ...], changes: Row) -> None:
    if c.database.see(t, table, key) is not None:
        row = await c.database.lock(t, table, key)
        if row is not None:
            c.database.write(t, table, key, {**row, **changes})


async def _delete(c: Connection, t: Transaction, table: str, keys: Iterable[tuple[Any, ...]]) -> list[Row]:
    """Deletes the rows that are there; those deleted."""
    deleted = []
    for key in keys:
        if c.database.see(t, table, key) is not None and (row := await c.database.lock(t, table, key)) is not None:
            c.database.write(t, table, key, None)
            deleted.append(row)
    return deleted


def _policies(c: Connection, t: Transaction, tenants: Texts, order: Callable[[Row], Any]) -> list[Row]:
    return sorted((row for row in c.database.scan(t, "policy") if row["tenant_id"] in tenants), key=order)


def _is_late(row: Row, now: datetime) -> bool:
    return row["expires_at"] is not None and row["expires_at"] <= now


def _key(row: Row) -> tuple[str, str]:
    return row["tenant_id"], row["subscription_id"]
