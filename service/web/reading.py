"""What pages read, each in one read-only transaction on one connection at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg
import structlog

from service.domain.ends import End
from service.domain.policy import Rules
from service.domain.subscription import Subscription
from service.domain.timeline import Status, Timeline, standing, timeline
from service.ops.preview import Previewed, previewed
from service.settings import Settings
from service.store import lookup, policies, roles
from service.store.subscriptions import Held, Key
from service.web.caller import Caller

log = structlog.get_logger(__name__)

SHOWN = 20
"""How many subscriptions a search names."""

_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A subscription that a search found; one that is only waited for, or is unreadable, has no more than its key."""

    key: Key
    unreadable: bool
    subscription: Subscription | None
    status: Status | None
    end: End | None
    held: Held | None


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found, and whether there is more of it."""

    found: tuple[Hit, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A subscription's timeline as of an instant, what each end would come to then, and whether it is held.

    What a preview decides may fail where a decision has failed: it is None then, and the timeline can be seen still.
    """

    now: datetime
    timeline: Timeline
    previewed: Previewed | None
    held: Held | None


class Reader:
    """Reads for pages."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._pool, self._settings, self._clock = pool, settings, clock
        self._turn = asyncio.Semaphore(1)
        self._told = settings.oidc_issuer is None  # where all callers see all tenants, there is nothing to tell

    async def search(self, caller: Caller, tenant: str, text: str, after: str = "") -> Hits:
        """A tenant's subscriptions whose id, or whose customer's, begins with a text: those that follow `after`.

        None of a tenant that is not for the caller.
        """
        if not caller.sees(tenant):
            return Hits((), more=False)
        async with self._transaction(caller.seen(tenant)) as connection:
            found = await lookup.beginning_with(connection, tenant, text, SHOWN + 1, after)
            rules = await self._rules(connection, tenant)
        now = self._clock()
        return Hits(tuple(_hit(each, now, rules) for each in found[:SHOWN]), more=len(found) > SHOWN)

    async def show(self, caller: Caller, key: Key, day: date | None = None) -> Shown | None:
        """A subscription, and what each end mode, and an end on `day`, would come to.

        None where there is none, and where it is not for the caller.

        Raises:
            Exception: its state cannot be read; whatever reading it has raised.
        """
        if not caller.sees(key[0]):
            return None
        async with self._transaction(caller.seen(key[0])) as connection:
            found = await lookup.one(connection, key)
            rules = await self._rules(connection, key[0])
        if found is not None and found.unreadable is not None:
            raise found.unreadable
        if found is None or found.subscription is None:
            return None
        now, subscription = self._clock(), found.subscription
        return Shown(
            now=now,
            timeline=timeline(subscription, now, rules),
            previewed=_previewed(subscription, day, now, rules),
            held=found.held,
        )

    @asynccontextmanager
    async def _transaction(self, tenants: frozenset[str]) -> AsyncIterator[asyncpg.Connection]:
        """Where these tenants' rows can be seen, and no others if the database keeps watch too."""
        async with (
            asyncio.timeout(_SECONDS),
            self._turn,
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            if not await roles.confine(connection, tenants) and not self._told:
                self._told = True
                log.warning("rows-unguarded")
            yield connection

    async def _rules(self, connection: asyncpg.Connection, tenant: str) -> Rules:
        known = {} if "\0" in tenant else await policies.read(connection, [tenant])
        return self._settings.rules(known.get(tenant, ()))


def _hit(found: lookup.Found, now: datetime, rules: Rules) -> Hit:
    status, end = (None, None) if found.subscription is None else standing(found.subscription, now, rules)
    return Hit(found.key, found.unreadable is not None, found.subscription, status, end, found.held)


def _previewed(subscription: Subscription, day: date | None, now: datetime, rules: Rules) -> Previewed | None:
    try:
        return previewed(subscription, day, now, rules)
    except Exception:
        tenant, name = subscription.tenant_id, subscription.subscription_id
        log.exception("preview-failed", tenant_id=tenant, subscription_id=name)
        return None
