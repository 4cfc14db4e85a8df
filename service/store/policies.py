"""The policies of the tenants, each in force from its own time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import asyncpg
from pydantic import TypeAdapter

from service.domain.policy import Policy

Policies: TypeAlias = dict[str, tuple[tuple[datetime, Policy], ...]]
"""By tenant, oldest first."""

_POLICY = TypeAdapter(Policy)

_READ = """
select tenant_id, time, data
from policy
where tenant_id = any($1::text [])
order by tenant_id, time, position
"""
_READ_RECORDED = """
select tenant_id, time, data
from policy
where tenant_id = any($1::text [])
order by tenant_id, position
"""
_TOUCH = """
update subscription
set due_at = least(due_at, $2)
where tenant_id = any($1::text []) and due_at is not null
"""


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """One policy as it was set."""

    tenant_id: str
    time: datetime
    recorded_at: datetime
    source: str
    event_id: str
    policy: Policy


async def read(connection: asyncpg.Connection, tenants: Iterable[str]) -> Policies:
    """The policies of these tenants."""
    return _by_tenant(await connection.fetch(_READ, sorted(set(tenants))))


async def recorded(connection: asyncpg.Connection, tenants: Iterable[str]) -> Policies:
    """The policies of these tenants in the order they were recorded; `known_then` says which held at a decision."""
    return _by_tenant(await connection.fetch(_READ_RECORDED, sorted(set(tenants))))


def known_then(policies: Sequence[tuple[datetime, Policy]], count: int) -> tuple[tuple[datetime, Policy], ...]:
    """The policies, oldest first, that were known when only the first `count` of them had been recorded.

    The policies of one tenant come over one partition, so they are recorded in the order they are committed.
    """
    return tuple(sorted(policies[:count], key=lambda timed: timed[0]))


async def add(connection: asyncpg.Connection, policies: Sequence[StoredPolicy], now: datetime) -> None:
    """Adds policies, and makes the open cancellations of their tenants due: one may reach back to their requests."""
    if not policies:
        return
    await connection.copy_records_to_table(
        "policy",
        records=[
            (p.tenant_id, p.time, p.recorded_at, p.source, p.event_id, _POLICY.dump_json(p.policy).decode())
            for p in policies
        ],
        columns=["tenant_id", "time", "recorded_at", "source", "event_id", "data"],
    )
    await connection.execute(_TOUCH, sorted({policy.tenant_id for policy in policies}), now)


def _by_tenant(rows: Iterable[asyncpg.Record]) -> Policies:
    found: Policies = {}
    for row in rows:
        policy = _POLICY.validate_json(row["data"])
        found[row["tenant_id"]] = (*found.get(row["tenant_id"], ()), (row["time"], policy))
    return found
