"""Books in balance: the service verifies its own subscriptions, a few at a time, round after round.

Workers take turns, each for a hundredth of its time at most, and only when the clock has nothing to bring about. What
is found to differ is told once, and verified again in every turn until it is as its facts say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import takewhile, zip_longest
from time import monotonic

import asyncpg
import structlog

from service import metrics
from service.ops.verify import Scope, page, verify_these
from service.settings import Settings, Topics
from service.store import books
from service.store.subscriptions import Key

log = structlog.get_logger(__name__)

AT_ONCE = 50
"""Subscriptions in a turn, and as many again of those that differ."""
_SHARE = 0.01
_LONGEST = 1.0
"""Seconds after which a turn begins with no further subscription: a long history takes long to be decided again."""


class Books:
    """Verifies in turns, by what is written of earlier ones in the database."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, topics: Topics, clock: Callable[[], datetime]) -> None:
        self._pool, self._settings, self._topics, self._clock = pool, settings, topics, clock
        self._not_before = 0.0

    async def turn(self) -> None:
        """Takes a turn, unless the last one was too lately for what it took; a fault of it is reported, and no more."""
        began = monotonic()
        if began < self._not_before:
            return
        try:
            await self.verify()
        except Exception:  # whatever it is: nothing that is decided depends on it, and the next turn tries again
            metrics.RETRIES.labels("books").inc()
            log.exception("books-not-verified")
        ended = monotonic()
        self._not_before = ended + (ended - began) / _SHARE

    async def verify(self, size: int = AT_ONCE) -> int:
        """Verifies the next few and those that differ; how many that were, none where another worker is at it."""
        now, began, verified = self._clock(), monotonic(), list[Key]()
        async with self._pool.acquire() as connection:
            try:
                async with connection.transaction(isolation="repeatable_read"):
                    after = await books.claim(connection)
                    if after is None:
                        return 0
                    doubtful = await books.out_of_balance(connection, size)
                    following = await page(connection, Scope(), after, size)
                    differences: dict[Key, str] = {}
                    for key in _alternating(following, doubtful):
                        differences |= await self._differences(connection, key)
                        verified.append(key)
                        if monotonic() - began > _LONGEST:
                            break
                    new = await books.note(connection, verified, differences, now)
                    through = list(takewhile(verified.__contains__, following))
                    last = through[-1] if len(through) == size or through != following else None
                    await books.advance(connection, len(through), last, now)
            except asyncpg.SerializationError:
                return 0
        metrics.BOOKS_VERIFIED.inc(len(verified))
        for key in new:
            log.error("out-of-balance", tenant_id=key[0], subscription_id=key[1], difference=differences[key])
        return len(verified)

    async def _differences(self, connection: asyncpg.Connection, key: Key) -> dict[Key, str]:
        """The first thing in which one differs, if it does."""
        verified = await verify_these(connection, self._settings, self._topics, [key])
        return {finding.key: f"{finding.field}: {finding.words}" for finding in verified.findings[:1]}


def _alternating(following: list[Key], doubtful: list[Key]) -> list[Key]:
    """One of each, by turns: neither keeps the other waiting."""
    pairs = zip_longest(following, doubtful)
    return list(dict.fromkeys(key for pair in pairs for key in pair if key is not None))
