"""Which policy holds when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.domain.policy import DEFAULT, Policy, Rules

FIRST, SECOND = Policy(settlement="full-period"), Policy(settlement="refund-period", charges="implied")
RULES = Rules(policies=((datetime(2026, 3, 1, tzinfo=UTC), FIRST), (datetime(2026, 6, 1, tzinfo=UTC), SECOND)))


@pytest.mark.parametrize(
    ("at", "policy"),
    [
        ("2026-02-28T23:59:59+00:00", DEFAULT),
        ("2026-03-01T00:00:00+00:00", FIRST),
        ("2026-05-31T23:59:59+00:00", FIRST),
        ("2026-06-01T00:00:00+00:00", SECOND),
        ("2030-01-01T00:00:00+00:00", SECOND),
    ],
)
def test_a_policy_holds_from_the_very_instant_it_was_set_until_the_next(at: str, policy: Policy) -> None:
    assert RULES.at(datetime.fromisoformat(at)) == policy


def test_it_is_known_whether_charges_were_ever_implied() -> None:
    assert RULES.ever_implied
    assert not Rules(policies=RULES.policies[:1]).ever_implied
