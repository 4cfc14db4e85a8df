"""Who goes next: coroutines driven by hand, one step at a time, in an order that chance decides and can repeat."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Chance:
    """Every choice of a run, drawn from a seed and written down; or told, and 0 beyond what is told.

    0 is always the quiet choice: nothing goes wrong, and who has waited longest goes next. So a run
    is made simpler by turning choices into 0.
    """

    def __init__(self, seed: int, told: Sequence[int] | None = None) -> None:
        self.taken: list[int] = []
        self.calm = False
        self._random = random.Random(seed).random  # noqa: S311  to be repeated, not to be secret
        self._told = told

    def below(self, count: int) -> int:
        """A number from 0 up to, not including, `count`."""
        if count < 2 or self.calm:
            return 0
        if self._told is None:
            choice = int(self._random() * count)
        else:
            at = len(self.taken)
            choice = self._told[at] % count if at < len(self._told) else 0
        self.taken.append(choice)
        return choice

    def once_in(self, count: int) -> bool:
        """Whether the unlikely happens."""
        if self.calm:
            return False
        if self._told is None:
            choice = int(self._random() * count < 1)
        else:
            at = len(self.taken)
            choice = int(at < len(self._told) and self._told[at] != 0)
        self.taken.append(choice)
        return bool(choice)


class Moment:
    """What a coroutine awaits: its next turn, once `ready` says so."""

    __slots__ = ("ready",)

    def __init__(self, ready: Callable[[], bool] | None = None) -> None:
        self.ready = ready

    def __await__(self) -> Generator[Moment, None, None]:
        yield self


TURN = Moment()
"""The next turn, whenever that is."""


_DELAYED = 25
"""One step in so many leaves its task waiting for long, wherever it stands."""


class Owner(Protocol):
    """What coroutines belong to and end with."""

    asleep_until: int


@dataclass(eq=False, slots=True)
class Task:
    """One coroutine and what it waits for."""

    name: str
    owner: Owner | None
    coroutine: Coroutine[Any, Any, None]
    moment: Moment = TURN
    asleep_until: int = 0


class Schedule:
    """Runs tasks, one step of one of them at a time; the one that has waited longest stands first."""

    def __init__(self, chance: Chance) -> None:
        self.steps = 0
        self._chance = chance
        self._tasks: list[Task] = []

    def start(self, name: str, owner: Owner | None, coroutine: Coroutine[Any, Any, None]) -> None:
        """Adds a task."""
        self._tasks.append(Task(name, owner, coroutine))

    def end(self, owner: Owner | None = None) -> None:
        """Drops the tasks of an owner, or all, in the middle of whatever they are doing."""
        ended = [task for task in self._tasks if owner is None or task.owner is owner]
        for task in ended:
            self._tasks.remove(task)
            task.coroutine.close()

    def step(self) -> str | None:
        """Lets one task go on to its next await; the name of it, or None when all of them wait."""
        ready = self._ready(awake=True) or self._ready(awake=False)
        if not ready:
            return None
        task = ready[self._chance.below(len(ready))]
        self._tasks.remove(task)
        self._tasks.append(task)
        self.steps += 1
        try:
            task.moment = task.coroutine.send(None) or TURN
        except StopIteration:
            self._tasks.remove(task)
        if self._chance.once_in(_DELAYED):
            task.asleep_until = self.steps + 10 * (1 + self._chance.below(20))
        return task.name

    def _ready(self, *, awake: bool) -> list[Task]:
        return [
            task
            for task in self._tasks
            if (task.moment.ready is None or task.moment.ready())
            and not (awake and task.asleep_until > self.steps)
            and not (awake and task.owner is not None and task.owner.asleep_until > self.steps)
        ]
