"""The laws over arbitrary lives; `make laws` runs many more steps of the same."""

from hypothesis import HealthCheck, settings

from tests.laws.machine import Laws

TestTheLaws = Laws.TestCase
TestTheLaws.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
