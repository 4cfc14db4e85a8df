"""Runs the laws over many steps: `python -m tests.laws [STEPS] [SEED]`; prints what was done and compared."""

from __future__ import annotations

import sys
import time

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.laws.machine import COUNTED, Laws

_STEPS_PER_LIFE = 30


def main(steps: int, start: int) -> None:
    """Lives one random life after the other until so many steps have been judged; a failure prints what to replay."""
    began, number = time.monotonic(), start
    while COUNTED["steps"] < steps:
        machine = seed(number)(Laws)
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=100,
                stateful_step_count=_STEPS_PER_LIFE,
                deadline=None,
                database=None,
                print_blob=True,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
        number += 1
        sys.stderr.write(f"\r{COUNTED['steps']} of {steps} steps, seed {number}, {time.monotonic() - began:.0f} s")
        sys.stderr.flush()
    sys.stderr.write("\n")
    for name, count in sorted(COUNTED.items()):
        sys.stdout.write(f"{name.replace(' ', '_')}: {count}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
