"""What one transaction does with a batch."""

from __future__ import annotations

import asyncio
import json

from tests.flow.conftest import LIFECYCLE, REQUESTED, World

CANCELLED = ["cancellation-scheduled", "period-shortened", "renewal-cancelled", "credit-adjustment"]


async def test_a_batch_is_decided_in_one_go_and_its_outcomes_wait_in_the_outbox_in_order(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(), world.cancel()])
    assert await world.types() == CANCELLED
    assert [record["data"]["sequence"] for record in await world.published()] == [1, 2, 3, 4]


async def test_the_same_records_again_change_nothing(world: World) -> None:
    batch = [world.activated(), world.issued(), world.cancel()]
    await world.flow.process(batch)
    before = await world.published()
    await world.flow.process(batch)
    assert await world.published() == before


async def test_a_repeated_event_is_decided_once_even_within_one_batch(world: World) -> None:
    await world.flow.process([world.activated(), world.activated(), world.issued(), world.cancel(), world.cancel()])
    await world.flow.process([world.issued(), world.cancel()])
    assert await world.types() == CANCELLED
    assert await world.pool.fetchval("select count(*) from fact") == 3


async def test_the_same_event_in_binary_and_in_structured_mode_is_a_repeat(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(), world.cancel()])
    event = {
        "specversion": "1.0",
        "id": "cancel",
        "source": "tests",
        "type": "cancellation-requested",
        "time": "2026-11-12T09:00:00+01:00",
        "data": {"end": {"date": "2026-11-21", "mode": "on-date"}, "subscription_id": "s"},
    }
    structured = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    await world.flow.process([world.record(REQUESTED, json.dumps(event).encode(), structured)])
    assert await world.types() == CANCELLED


async def test_a_command_under_an_id_used_before_with_other_content_is_refused_once(world: World) -> None:
    await world.flow.process([world.activated(), world.cancel()])
    other = {"date": "2026-11-25"}
    await world.flow.process([world.cancel(**other), world.cancel(**other)])
    await world.flow.process([world.cancel(**other)])
    refused = [record["data"] for record in await world.published() if record["type"] == "cancellation-rejected"]
    assert [(data["code"], data["sequence"]) for data in refused] == [("conflicting-content", 4)]


async def test_a_fact_under_an_id_used_before_with_other_content_is_set_aside(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(), world.issued(amount="310.00")])
    await world.flow.process([world.issued(amount="320.00")])
    await world.flow.process([world.cancel()])
    dead, later, *outcomes = await world.published()
    assert later["headers"]["dlq_reason"] == b"conflicting-content"
    assert dead["headers"]["dlq_reason"] == b"conflicting-content"
    assert [record["type"] for record in outcomes] == CANCELLED
    assert outcomes[-1]["data"]["amount"] == "100.00"


async def test_a_second_activation_with_another_agreement_is_set_aside(world: World) -> None:
    again = world.activated(event_id="again", currency="SEK")
    await world.flow.process([world.activated(), again, world.issued(), world.cancel()])
    dead, *outcomes = await world.published()
    assert dead["headers"]["dlq_reason"] == b"contradicting"
    assert outcomes[-1]["data"]["currency"] == "DKK"


async def test_an_amount_with_more_decimals_than_the_currency_is_set_aside(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(amount="300.005")])
    (dead,) = await world.published()
    assert dead["headers"]["dlq_reason"] == b"malformed"
    assert b"more decimals than DKK" in dead["headers"]["dlq_error"]


async def test_outcomes_name_their_cause_and_carry_the_trace_on(world: World) -> None:
    cancel = world.cancel()
    trace = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    cancel = world.record(REQUESTED, cancel.value, [*cancel.headers, trace, ("ce_correlationid", b"case-7")])
    await world.flow.process([world.activated(), cancel])
    headers = (await world.published())[0]["headers"]
    assert headers["ce_causationid"] == b"cancel"
    assert headers["ce_correlationid"] == b"case-7"
    assert headers["traceparent"] == headers["ce_traceparent"] == trace[1]


async def test_an_event_without_a_time_happened_when_the_record_was_written(world: World) -> None:
    data = {"subscription_id": "s", "end": {"mode": "immediately"}}
    untimed = world.event(REQUESTED, "cancellation-requested", "now", data, time=None)
    await world.flow.process([world.activated(), untimed])
    scheduled = (await world.published())[0]["data"]
    assert (scheduled["access_ends_at"], scheduled["end_date"]) == ("2026-11-12T09:00:00+01:00", "2026-11-13")


async def test_a_request_that_comes_before_its_subscription_waits_for_it(world: World) -> None:
    await world.flow.process([world.cancel()])
    assert await world.types() == []
    await world.flow.process([world.activated(), world.issued()])
    assert "cancellation-scheduled" in await world.types()
    assert (await world.published())[-1]["data"]["amount"] == "100.00"


async def test_facts_that_come_before_the_activation_are_not_lost_either(world: World) -> None:
    await world.flow.process([world.issued(), world.cancel(), world.activated()])
    assert await world.types() == CANCELLED
    assert await world.pool.fetchval("select count(*) from parked") == 0


async def test_a_request_nobody_activates_a_subscription_for_is_refused_after_a_day(world: World) -> None:
    await world.flow.process([world.cancel(), world.issued()])
    world.pass_by(hours=23, minutes=59)
    assert await world.flow.end_due() == 0
    world.pass_by(minutes=1)
    assert await world.flow.end_due() == 1
    refused, dead = await world.published()
    assert (refused["data"]["code"], refused["data"]["sequence"]) == ("unknown-subscription", 0)
    assert refused["key"] == b"default:s"
    assert dead["headers"]["dlq_reason"] == b"unknown-subscription"
    assert await world.pool.fetchval("select count(*) from subscription") == 0


async def test_an_end_is_sealed_by_the_clock_however_long_it_was_away(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(), world.cancel()])
    world.pass_by(days=8)
    assert await world.flow.end_due() == 0
    world.pass_by(days=700)
    assert await world.flow.end_due() == 1
    assert (await world.types())[-1] == "subscription-ended"
    assert await world.flow.end_due() == 0


async def test_a_last_period_far_ahead_is_shortened_by_the_clock_as_it_begins(world: World) -> None:
    await world.flow.process([world.activated(), world.cancel(date="2027-02-15")])
    assert await world.types() == ["cancellation-scheduled", "renewal-cancelled"]
    world.now = world.now.replace(year=2027, month=1, day=31, hour=23)
    assert await world.flow.end_due() == 1
    assert (await world.types())[-1] == "period-shortened"


async def test_workers_that_share_subscriptions_but_not_partitions_decide_one_after_the_other(world: World) -> None:
    lives = [world.activated(f"s{n}", f"a{n}") for n in range(50)]
    await world.flow.process(lives)
    wishes = [world.cancel(f"s{n}", f"c{n}", f"2026-11-{14 + n % 10}") for n in range(50)]
    bills = [world.issued(f"s{n}", f"i{n}") for n in reversed(range(50))]
    await asyncio.gather(world.flow.process(wishes), world.flow.process(bills))
    given = {r["data"]["subscription_id"]: r["data"] for r in await world.published() if "amount" in (r["data"] or {})}
    assert len(given) == 50
    assert given["s7"]["calculation"]["kept"] == "200.00"


async def test_a_worker_that_was_thought_dead_finds_its_batch_done(world: World) -> None:
    batch = [world.activated(), world.issued(), world.cancel()]
    await asyncio.gather(*(world.flow.process(batch) for _ in range(4)))
    assert await world.types() == CANCELLED


async def test_tenants_do_not_share_subscriptions(world: World) -> None:
    await world.flow.process([world.activated(), world.activated(event_id="other", tenant_id="other", currency="SEK")])
    data = {"subscription_id": "s", "tenant_id": "other", "end": {"mode": "on-date", "date": "2026-11-21"}}
    await world.flow.process([world.event(REQUESTED, "cancellation-requested", "c", data)])
    published = await world.published()
    assert {record["key"] for record in published} == {b"other:s"}
    assert {record["data"]["tenant_id"] for record in published} == {"other"}


async def test_every_change_leaves_one_snapshot_per_subscription_and_batch(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(), world.cancel()])
    rows = await world.pool.fetch("select value from outbox where topic = 'subscription-timeline'")
    (snapshot,) = [json.loads(row["value"]) for row in rows]
    assert snapshot["sequence"] == 4
    assert [entry["type"] for entry in snapshot["entries"]] == [
        *("subscription-activated", "invoice-issued", "cancellation-requested"),
    ]


async def test_records_of_several_partitions_advance_each_its_own_offset(world: World) -> None:
    first = world.activated()
    second = world.event(LIFECYCLE, "price-changed", "p", {"subscription_id": "s"}, partition=3)
    await world.flow.process([first, second])
    rows = await world.pool.fetch("select partition, next_offset from consumer_offset order by partition")
    assert [tuple(row) for row in rows] == [(0, 1), (3, 1)]
