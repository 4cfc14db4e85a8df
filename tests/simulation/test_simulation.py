"""Some worlds of a fixed seed each; `make simulate` runs many more. And mistakes that they must find out."""

from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.faults import FAULTS
from tests.simulation.hunt import play, shown, shrunk
from tests.simulation.world import Scenario

SEEDS = 80
"""As many as it may take until a mistake is found out."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is tried again, set aside or held is part of the play."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_goes_wrong_all_is_decided_once_and_published_in_order(seed: int) -> None:
    run = play(Scenario.drawn(seed))
    assert not run.complaints, shown(run)


def test_a_seed_gives_the_same_run_again() -> None:
    first, second = (play(Scenario.drawn(3)) for _ in range(2))
    assert (first.choices, first.told, first.counted) == (second.choices, second.told, second.counted)


@pytest.mark.parametrize("mistake", FAULTS)
def test_a_broken_flow_is_found(mistake: str) -> None:
    found = (seed for seed in range(SEEDS) if play(Scenario.drawn(seed), FAULTS[mistake]).complaints)
    assert next(found, None) is not None, f"nobody noticed in {SEEDS} seeds"


def test_what_fails_shrinks_to_less_that_fails() -> None:
    fault = FAULTS["repeated events are not noticed"]
    failed = play(Scenario.drawn(0), fault)
    least = shrunk(failed, fault, seconds=3)
    assert least.complaints
    assert sum(map(bool, least.choices)) < sum(map(bool, failed.choices)) / 2
