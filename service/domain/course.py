"""The accepted commands in order, and which cancellations they leave in force: of the whole, or of single lines.

A line ends with the last cancellation that named it, and never later than the whole subscription.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from service.domain.facts import Command
from service.domain.policy import Settlement

Lines: TypeAlias = tuple[str, ...]
"""The lines a cancellation ends, sorted; none named is the whole subscription."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """An accepted command with both its times and the lines it came to be about."""

    command: Command
    lines: Lines
    time: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A cancellation in force: the requests that made it, and the command that says its end."""

    lines: Lines
    requests: tuple[Command, ...]
    last: Ordered
    settlement: Settlement | None

    @property
    def ids(self) -> set[str | None]:
        """Every id it can be named by."""
        return {request.cancellation_id for request in self.requests}


@dataclass(frozen=True)
class Course:
    """What is in force: the cancellation of the whole, and of each line that has one of its own."""

    whole: Cancellation | None = None
    lines: dict[str, Cancellation] = field(default_factory=dict)

    @cached_property
    def in_force(self) -> list[Cancellation]:
        """Every cancellation in force, the whole one first, then by the time of its last command."""
        own = {cancellation.lines: cancellation for cancellation in self.lines.values()}
        latest = sorted(own.values(), key=lambda cancellation: cancellation.last.time, reverse=True)
        return [*([self.whole] if self.whole is not None else []), *latest]

    def meant_by(self, command: Command) -> Cancellation | None:
        """The cancellation in force that a move or a revoke speaks of, or that a request changes."""
        if command.action == "request":
            return next((c for c in self.in_force if c.lines == tuple(sorted(command.lines))), None)
        named = command.cancellation_id
        return next((c for c in self.in_force if named is None or named in c.ids), None)

    def with_id(self, cancellation_id: str | None) -> Cancellation | None:
        """The cancellation in force that a request of this id made."""
        return next((c for c in self.in_force if cancellation_id in c.ids), None)

    def after(self, ordered: Ordered) -> Course:
        """What is in force after one more command."""
        command, before = ordered.command, self.meant_by(ordered.command)
        if command.action == "revoke":
            return self._put(ordered.lines, None)
        requests = before.requests if before is not None else ()
        settlement = command.settlement or (before.settlement if before is not None else None)
        if command.action == "request":
            requests = (*requests, command)
        return self._put(ordered.lines, Cancellation(ordered.lines, requests, ordered, settlement))

    def _put(self, lines: Lines, cancellation: Cancellation | None) -> Course:
        if not lines:
            return replace(self, whole=cancellation)
        others = {line: own for line, own in self.lines.items() if line not in lines}
        return replace(self, lines=others if cancellation is None else {**others, **dict.fromkeys(lines, cancellation)})


def courses(commands: Sequence[Ordered]) -> list[tuple[datetime, Course]]:
    """What was in force from each command on, oldest first."""
    course, found = Course(), []
    for ordered in commands:
        course = course.after(ordered)
        found.append((ordered.time, course))
    return found
