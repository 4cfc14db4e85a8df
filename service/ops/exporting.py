"""Export: the timelines of all subscriptions, one at a time, over a cursor in the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pydantic_core import to_json

from service import clients
from service.domain.policy import Rules
from service.domain.timeline import timeline
from service.messages.outcomes import snapshot
from service.settings import Settings
from service.store import lookup, policies
from service.store.subscriptions import Key

_MOST_TOLD = 1_000
"""Subscriptions whose state cannot be read that are named."""


async def export(
    settings: Settings, tenant: str | None, write: Callable[[bytes], object], now: datetime
) -> list[tuple[Key, str]]:
    """Writes the timelines of a tenant, or of all, as they stand at one instant; a line of JSON each.

    Returns:
        Subscriptions whose state cannot be read, with why; a thousand at most.
    """
    unreadable: list[tuple[Key, str]] = []
    async with (
        clients.connected(settings) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        by_tenant: dict[str, Rules] = {}
        async for found in lookup.every(connection, tenant):
            if found.unreadable is not None and len(unreadable) < _MOST_TOLD:
                unreadable.append((found.key, f"{type(found.unreadable).__name__}: {found.unreadable}"))
            if found.subscription is None:
                continue
            owner = found.key[0]
            if owner not in by_tenant:  # they come in the order of their tenants
                by_tenant = {owner: settings.rules((await policies.read(connection, [owner])).get(owner, ()))}
            told = snapshot(timeline(found.subscription, now, by_tenant[owner]))
            write(to_json(told) + b"\n")
    return unreadable
