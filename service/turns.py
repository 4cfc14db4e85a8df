"""The event loop's turn within long stretches of work: a worker that only decides answers nobody, and is thought dead.

Everything a worker does shares one thread. Whoever reads a page waits for a few of these turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import monotonic
from typing import TypeVar

Item = TypeVar("Item")

_LONGEST = 0.005
"""Seconds of work without a turn, but for what is one step."""


class Turns:
    """Lets others go on wherever they have had no turn for long."""

    def __init__(self) -> None:
        self._last = monotonic()

    async def give(self) -> None:
        """Lets others go on, if it is time."""
        if monotonic() - self._last > _LONGEST:
            await asyncio.sleep(0)
            self._last = monotonic()


async def in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """The items, each of which is a step of the work."""
    turns = Turns()
    for item in items:
        await turns.give()
        yield item
