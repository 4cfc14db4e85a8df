"""Runs worlds for a while: `python -m tests.simulation [SECONDS] [SEED]`; prints what was done, and what failed."""

from __future__ import annotations

import sys
import time
from collections import Counter

import structlog

from tests.simulation.hunt import play, shown
from tests.simulation.world import Scenario


def main(seconds: float, first: int) -> int:
    """Plays one seed after the other; one that fails is shrunk and shown, and ends it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    began, seed, counted = time.monotonic(), first, Counter[str]()
    while not (over := time.monotonic() - began > seconds) or seed == first:
        run = play(Scenario.drawn(seed))
        counted += run.counted
        if run.complaints:
            sys.stdout.write(f"{shown(run)}\n")
            break
        seed += 1
    spent = time.monotonic() - began
    figures = {
        "seeds": f"{first} to {seed if not over else seed - 1}",
        "seconds": f"{spent:.0f}",
        "steps_per_minute": f"{counted['steps'] / spent * 60:.0f}",
        **{name.replace(" ", "_"): str(count) for name, count in sorted(counted.items())},
    }
    sys.stdout.write("".join(f"{name}: {value}\n" for name, value in figures.items()))
    return 0 if over else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
