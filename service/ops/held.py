"""Subscriptions that are held because a decision failed: listed, and resumed after the fix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from service import clients
from service.flow import Flow
from service.settings import Settings, Topics
from service.store.subscriptions import Held, Key

_LIST = """
select s.tenant_id, s.subscription_id, s.held_since, s.held_because, count(p.position) as waiting
from subscription s
left join parked p using (tenant_id, subscription_id)
where s.held_since is not null and ($1::text is null or s.tenant_id = $1)
group by s.tenant_id, s.subscription_id
order by s.held_since, s.tenant_id, s.subscription_id
"""


@dataclass(frozen=True, slots=True)
class HeldSubscription:
    """One of them, with how many events wait for it."""

    key: Key
    held: Held
    waiting: int


async def read(settings: Settings, tenant: str | None = None) -> list[HeldSubscription]:
    """The held subscriptions of one tenant or of all, the longest held first."""
    async with clients.connected(settings) as connection:
        return await _read(connection, tenant)


async def resume(
    settings: Settings, topics: Topics, tenant: str | None, subscription: str | None
) -> list[tuple[HeldSubscription, Held | None]]:
    """Resumes one held subscription, or all, each in a transaction of its own; says why it is held again, if it is."""
    async with asyncpg.create_pool(**clients.postgres(settings), min_size=1, max_size=1) as pool:
        flow = Flow(pool, settings, topics)
        async with pool.acquire() as connection:
            held = await _read(connection, tenant)
        wanted = [each for each in held if subscription in {None, each.key[1]}]
        return [(each, await flow.resume(each.key)) for each in wanted]


def draw(held: Sequence[HeldSubscription], now: datetime) -> RenderableType:
    """A row for each."""
    if not held:
        return "No subscription is held."
    table = Table(box=SIMPLE_HEAD, header_style="bold")
    for name in ("held for", "tenant", "subscription", "waiting", "because"):
        table.add_column(name, justify="right" if name in {"held for", "waiting"} else "left", overflow="fold")
    for each in held:
        age = str(now - each.held.since).partition(".")[0]
        table.add_row(age, *each.key, str(each.waiting), Text(each.held.because, "red"))
    return table


def document(held: Sequence[HeldSubscription]) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "tenant_id": each.key[0],
            "subscription_id": each.key[1],
            "held_since": each.held.since.isoformat(),
            "held_because": each.held.because,
            "waiting": each.waiting,
        }
        for each in held
    ]


def resumed(done: Sequence[tuple[HeldSubscription, Held | None]]) -> list[dict[str, object]]:
    """What resuming has come to, for programs; `held_because` null: all that waited is decided."""
    return [
        {
            "tenant_id": each.key[0],
            "subscription_id": each.key[1],
            "waited": each.waiting,
            "held_because": None if again is None else again.because,
        }
        for each, again in done
    ]


async def _read(connection: asyncpg.Connection, tenant: str | None) -> list[HeldSubscription]:
    return [
        HeldSubscription(
            (row["tenant_id"], row["subscription_id"]), Held(row["held_since"], row["held_because"]), row["waiting"]
        )
        for row in await connection.fetch(_LIST, tenant)
    ]
