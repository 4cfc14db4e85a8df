"""One run after the other, and, where one fails, the least that still fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from unittest.mock import patch

from service import flow, turns
from tests.simulation.faults import Fault
from tests.simulation.judge import complaints
from tests.simulation.world import Scenario, World, WorldError

NO_FAULT = Fault()
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to."""

    scenario: Scenario
    complaints: list[str]
    choices: list[int]
    told: list[str]
    counted: Counter[str]

    def __str__(self) -> str:
        chosen = {at: choice for at, choice in enumerate(self.choices) if choice}
        parts = [
            "what it shrinks to:",
            f"  {self.scenario}",
            *(f"  ! {complaint}" for complaint in self.complaints[:6]),
            "  what went wrong, by step:",
            *(f"  {line}" for line in self.told[-_SHOWN:]),
            f"  choices other than the quiet one: {len(chosen)}",
            f"  {chosen if len(chosen) <= _SHOWN else 'too many to show'}",
        ]
        return "\n".join(parts)


def play(scenario: Scenario, fault: Fault = NO_FAULT, told: list[int] | None = None) -> Run:
    """Runs a scenario, by chance or as told, and judges it."""
    with fault.planted():
        world = World(scenario, told, make_relay=fault.relay)
        try:
            with patch.object(flow, "monotonic", world.monotonic), patch.object(turns, "monotonic", world.monotonic):
                world.run()
        except WorldError as error:
            found = [str(error)]
        else:
            found = complaints(world)
    return Run(scenario, found, world.chance.taken, world.told, world.counted)


def shown(failed: Run, fault: Fault = NO_FAULT) -> str:
    """How a failure is played again, and the least that fails."""
    seed = failed.scenario.seed
    named = f"SEED={seed} fails: {failed.complaints[0]}\nmake simulate SECONDS=1 SEED={seed} plays it again"
    return f"{named}\n{shrunk(failed, fault)}"


def shrunk(failed: Run, fault: Fault = NO_FAULT, seconds: float = 20) -> Run:
    """A smaller run that fails too: fewer lives and workers first, then fewer choices other than the quiet one."""
    until = time.monotonic() + seconds
    least, smaller = failed, _smaller(failed.scenario)
    while time.monotonic() < until and (scenario := next(smaller, None)) is not None:
        for seed in (scenario.seed, *range(8)):
            run = play(replace(scenario, seed=seed), fault)
            if run.complaints:
                least, smaller = run, _smaller(run.scenario)
                break
    size = len(least.choices)
    while size and time.monotonic() < until:
        at = 0
        while at < len(least.choices) and time.monotonic() < until:
            told = [*least.choices[:at], *[0] * len(least.choices[at : at + size]), *least.choices[at + size :]]
            if any(least.choices[at : at + size]) and (run := play(least.scenario, fault, told)).complaints:
                least = run
            at += size
        size //= 2
    return least


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    if len(scenario.lives) > 1:
        for left_out in scenario.lives:
            yield replace(scenario, lives=tuple(number for number in scenario.lives if number != left_out))
    for name, least in (("workers", 1), ("shards", 1), ("strangers", 0), ("policies", 0), ("scraps", 0)):
        if getattr(scenario, name) > least:
            yield replace(scenario, **{name: getattr(scenario, name) - 1})
    if scenario.faults < 200:
        yield replace(scenario, faults=200)
