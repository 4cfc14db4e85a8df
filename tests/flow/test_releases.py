"""What the release before reads and writes of a state."""

from __future__ import annotations

import json

import pytest

from service.domain.subscription import Subscription
from service.store.subscriptions import read, read_state, state_json
from tests.flow.conftest import World


@pytest.fixture
async def stored(world: World) -> Subscription:
    paused = {"subscription_id": "s", "pause_id": "P1", "effective_date": "2026-11-05", "resume_date": "2026-11-08"}
    records = [
        world.activated(),
        world.issued(),
        world.event("subscription-lifecycle", "subscription-paused", "paused", paused),
        world.cancel(),
    ]
    await world.flow.process(records)
    async with world.pool.acquire() as connection:
        found = await read(connection, ("default", "s"))
    assert found is not None
    assert found.told.adjustments
    assert found.pauses
    return found


async def test_the_release_before_finds_what_it_requires(stored: Subscription) -> None:
    state = json.loads(state_json(stored))
    assert [adjustment["text"] for adjustment in state["told"]["adjustments"]] == [""]
    assert [(pause["known_at"], pause["resume_date"]) for pause in state["pauses"]] == [
        ("2026-11-12T08:00:00Z", "2026-11-08")
    ]


async def test_what_the_release_before_has_written_is_read_with_the_same_money_and_dates(stored: Subscription) -> None:
    state = json.loads(state_json(stored))
    for adjustment in state["told"]["adjustments"]:
        del adjustment["calculation"]
    for pause in state["pauses"]:
        del pause["resumes"]
    found = read_state(json.dumps(state))
    assert found.pauses == stored.pauses
    assert [a.amount for a in found.told.adjustments] == [a.amount for a in stored.told.adjustments]
    assert found.told.levels == stored.told.levels
