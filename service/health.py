"""What a worker knows of its own health: whether its loops still turn, and whether it can do its work.

A loop that waits for a server that is away still turns, for each attempt is a turn; one that makes no turn at all for
minutes is stuck, and only a new process helps. That is what `/livez` says. `/readyz` says less and sooner.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from time import monotonic

STUCK_SECONDS = 600.0
"""Without a turn for so long, a loop is stuck; every wait in one is shorter."""

_RELAYED_SECONDS = 30.0


@dataclass
class Health:
    """When each loop last turned, on a clock that nobody steps, and the records in hand by topic and partition."""

    turns: dict[str, float] = field(default_factory=dict)
    relayed_at: float | None = None
    joined: bool = False
    in_hand: Counter[tuple[str, int]] = field(default_factory=Counter)

    def turn(self, loop: str) -> None:
        """A loop has come round, or has tried to."""
        self.turns[loop] = monotonic()

    def relayed(self) -> None:
        """The relay has been through: all it had was published."""
        self.turn("relay")
        self.relayed_at = monotonic()

    def stuck(self, now: float | None = None) -> list[str]:
        """The loops that have not turned for too long."""
        at = monotonic() if now is None else now
        return sorted(loop for loop, turned in self.turns.items() if at - turned > STUCK_SECONDS)

    def missing(self, now: float | None = None) -> list[str]:
        """What it lacks to do its work, besides its database."""
        at = monotonic() if now is None else now
        relays = self.relayed_at is not None and at - self.relayed_at <= _RELAYED_SECONDS
        return [*([] if self.joined else ["assignment"]), *([] if relays else ["relay"])]
