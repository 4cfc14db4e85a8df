"""However much comes, a decision stays small enough to be taken, kept and published."""

from __future__ import annotations

import pytest

from service.flow import Flow
from service.messages import inputs
from service.settings import Settings, Topics
from tests.flow.conftest import LIFECYCLE, World

CANCELLED = ["cancellation-scheduled", "period-shortened", "renewal-cancelled", "credit-adjustment"]


async def test_a_subscription_has_only_so_many_charges_and_the_same_ones_again_are_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.batch.MOST_EVER", 3)
    await world.flow.process([world.activated(), world.issued()])
    period = {"start": "2026-12-01", "end": "2027-01-01"}
    charges = [{"charge_id": f"C{n}", "line_id": "L1", "period": period, "amount": "1.00"} for n in (2, 3, 4)]
    data = {"subscription_id": "s", "invoice_id": "INV-2", "charges": charges}
    await world.flow.process([world.event(LIFECYCLE, "invoice-issued", "more", data)])
    (dead,) = await world.published()
    assert (dead["headers"]["dlq_reason"], dead["headers"]["dlq_error"]) == (
        b"too-many",
        b"a subscription has at most 3 charges",
    )
    await world.flow.process([world.cancel()])
    assert await world.types() == ["dead-letter", *CANCELLED]
    assert inputs.MOST_EVER == 10_000


async def test_an_outcome_that_no_topic_takes_holds_its_subscription_and_not_the_relay(world: World) -> None:
    small = Settings(topic_max_message_bytes=1_000_000)
    small = small.model_copy(update={"topic_max_message_bytes": 900})
    flow = Flow(world.pool, small, Topics(), lambda: world.now)
    await flow.process([world.activated(), world.activated("t", "at", customer_id="c" * 200), world.cancel()])
    row = await world.pool.fetchrow("select * from subscription where held_since is not null")
    assert row["held_because"].startswith("TooLargeError: an outcome of ")
    sizes = await world.pool.fetchval("select max(length(value)) from outbox")
    assert sizes <= 900


async def test_of_a_record_larger_than_the_dead_letter_topic_takes_the_beginning_is_kept(world: World) -> None:
    huge = b"x" * 8_000_001
    await world.flow.process([world.record(LIFECYCLE, huge, []), world.record(LIFECYCLE, huge[1:], [])])
    cut, whole = await world.published()
    assert (len(cut["value"]), cut["headers"]["dlq_bytes"]) == (1_000_000, b"8000001")
    assert (len(whole["value"]), whole["headers"].get("dlq_bytes")) == (8_000_000, None)


async def test_a_batch_that_takes_long_to_decide_is_decided_in_several_transactions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.flow._LONGEST_TRANSACTION", -1)
    lives = [world.activated(), world.activated(), world.cancel("t", "ct"), world.issued(), world.cancel()]
    await world.flow.process([*lives, world.activated("t", "at")])
    assert await world.types() == [*CANCELLED, "cancellation-scheduled", "period-shortened", "renewal-cancelled"]
    assert await world.pool.fetchval("select count(distinct xmin::text) from fact") == 4
    assert await world.pool.fetchval("select count(*) from inbox") == 5
    offsets = "select sum(next_offset)::int from consumer_offset"
    assert await world.pool.fetchval(offsets) == 6
    await world.flow.process([world.issued(), world.cancel(), world.activated()])
    assert await world.pool.fetchval("select count(*) from fact") == 5
