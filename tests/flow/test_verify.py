"""Everything is recomputed from its facts; what is stored or waits to be published otherwise is named."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from service.flow import Flow
from service.ops.verify import Scope, verify
from service.settings import Settings, Topics
from service.store.records import Incoming
from tests.flow.conftest import REQUESTED, World, command_line

POLICY = "cancellation-policy"


async def findings(world: World, size: int = 500, **scope: str) -> list[str]:
    """What differs, each as its sentence."""
    async with world.pool.acquire() as connection:
        batches = verify(connection, Settings(), Topics(), Scope(**scope), size=size)
        return [str(finding) async for batch in batches for finding in batch.findings]


async def verified(world: World, size: int = 500, **scope: str) -> int:
    """How many subscriptions were verified."""
    async with world.pool.acquire() as connection:
        batches = verify(connection, Settings(), Topics(), Scope(**scope), size=size)
        return sum([batch.subscriptions async for batch in batches])


def command(world: World, kind: str, event_id: str, time: str, **data: object) -> Incoming:
    return world.event(REQUESTED, f"cancellation-{kind}", event_id, {"subscription_id": "s", **data}, time=time)


def policy(world: World, event_id: str, time: str, **data: object) -> Incoming:
    return world.event(POLICY, "cancellation-policy-set", event_id, data, time=time)


def on(date: str) -> dict[str, str]:
    return {"mode": "on-date", "date": date}


async def cancelled(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(), world.cancel()])


async def test_nothing_differs_where_nothing_has_happened(world: World) -> None:
    assert await findings(world) == []
    assert await verified(world) == 0


async def test_a_cancellation_is_as_its_facts_say(world: World) -> None:
    await cancelled(world)
    assert await findings(world) == []
    assert await verified(world) == 1


async def test_moves_and_a_regret_are_as_their_facts_say_published_or_not(world: World) -> None:
    await cancelled(world)
    moves = [
        command(world, "moved", "m1", "2026-11-12T09:10:00+01:00", end=on("2026-11-26")),
        command(world, "moved", "m2", "2026-11-12T09:20:00+01:00", end={"mode": "immediately"}),
        command(world, "revoked", "r", "2026-11-12T09:15:00-05:00"),
        command(world, "revoked", "r2", "2026-11-12T09:19:00+01:00"),
    ]
    for move in moves:
        world.pass_by(minutes=9)
        await world.flow.process([move])
        assert await findings(world) == []
    await world.pool.execute("delete from outbox where id <= 7")
    assert await findings(world) == []


async def test_refusals_are_as_their_facts_say(world: World) -> None:
    await cancelled(world)
    refused = [
        command(world, "requested", "early", "2026-11-12T08:59:00+01:00", end=on("2026-11-25")),
        command(world, "requested", "ahead", "2026-11-12T18:00:00+05:30", end=on("2026-11-25")),
        command(world, "requested", "before", "2026-11-12T09:00:01+01:00", end=on("2020-01-01")),
        command(
            world, "requested", "other", "2026-11-12T09:00:02+01:00", cancellation_id="cancel", end=on("2026-11-25")
        ),
        command(world, "revoked", "nobody", "2026-11-12T09:00:03+01:00", cancellation_id="unknown"),
    ]
    await world.flow.process(refused)
    assert (await world.types()).count("cancellation-rejected") == 5
    assert await findings(world) == []


async def test_an_id_used_again_with_other_content_is_decided_once_more_as_a_conflict(world: World) -> None:
    await world.flow.process([world.activated(), world.activated("t", "activated-t"), world.issued(), world.cancel()])
    await world.flow.process([world.cancel(date="2026-11-25"), world.cancel("t", "cancel")])
    assert (await world.types()).count("cancellation-rejected") == 2
    assert await findings(world) == []


async def test_what_waited_for_its_subscription_is_as_its_facts_say(world: World) -> None:
    await world.flow.process([world.cancel(), world.issued()])
    assert await findings(world) == []
    world.pass_by(hours=3)
    await world.flow.process([world.activated()])
    assert "credit-adjustment" in await world.types()
    assert await findings(world) == []


async def test_a_request_refused_before_its_subscription_was_heard_of_is_no_difference(world: World) -> None:
    await world.flow.process([world.cancel()])
    world.pass_by(hours=25)
    await world.flow.end_due()
    await world.flow.process([world.activated()])
    assert await world.types() == ["cancellation-rejected"]
    assert await findings(world) == []


async def test_what_the_clock_brought_about_is_as_the_facts_say(world: World) -> None:
    await world.flow.process([world.activated(), world.cancel(date="2027-02-15")])
    world.now = world.now.replace(year=2027, month=1, day=31, hour=23)
    assert await world.flow.end_due() == 1
    assert await findings(world) == []
    world.pass_by(days=30)
    assert await world.flow.end_due() == 1
    assert (await world.types())[-1] == "subscription-ended"
    assert await world.pool.fetchval("select count(*) from fact where type = 'clock'") == 2
    await world.flow.process([command(world, "revoked", "late", "2027-03-01T09:00:00+01:00")])
    assert await findings(world) == []


async def test_the_clock_is_judged_by_the_grace_it_went_by(world: World) -> None:
    await cancelled(world)
    world.pass_by(days=9)
    hasty = Flow(world.pool, Settings(seal_grace=timedelta()), Topics(), lambda: world.now)
    await hasty.end_due()
    assert (await world.types())[-1] == "subscription-ended"
    assert await findings(world) == []


async def test_a_clock_that_changed_nothing_leaves_no_fact(world: World) -> None:
    await cancelled(world)
    await world.flow.process([policy(world, "p", "2026-12-24T00:00:00Z", rounding="half-even")])
    assert await world.flow.end_due() == 1
    assert await world.pool.fetchval("select count(*) from fact where type = 'clock'") == 0
    assert await findings(world) == []


@pytest.mark.parametrize("batches", ["one", "one each"])
async def test_every_decision_is_judged_by_the_policies_known_then(world: World, batches: str) -> None:
    records = [
        world.activated(),
        world.issued(),
        policy(world, "p1", "2026-11-10T00:00:00+01:00", settlement="prorate"),
        world.cancel(),
        policy(world, "p2", "2026-11-01T00:00:00+01:00", settlement="full-period"),
        policy(world, "p3", "2026-11-11T00:00:00+01:00", settlement="refund-period"),
    ]
    for batch in [records] if batches == "one" else [[record] for record in records]:
        await world.flow.process(batch)
    assert await findings(world) == []
    assert await world.flow.end_due() == 1
    assert (await world.published())[-1]["data"]["amount"] == "200.00"
    assert await findings(world) == []
    await world.flow.process([command(world, "moved", "m", "2026-11-12T09:00:00+01:00", end=on("2026-11-26"))])
    assert await findings(world) == []


@pytest.mark.parametrize("size", [1, 2, 3, 4, 500])
async def test_many_are_verified_batch_by_batch_and_each_once(world: World, size: int) -> None:
    lives = [world.activated(f"s{n}", f"a{n}") for n in range(4)]
    other = world.activated("s1", "other", tenant_id="other")
    await world.flow.process(
        [*lives, other, *(world.cancel(f"s{n}", f"c{n}") for n in range(4)), world.cancel("parked")]
    )
    assert await verified(world, size) == 6
    assert await verified(world, size, tenant="other") == 1
    assert await verified(world, size, subscription="s1") == 2
    assert await findings(world, size) == []


async def test_a_flipped_digit_in_the_state_is_named_with_both_values(world: World) -> None:
    await cancelled(world)
    await flip(world, "subscription", "state", '"statements":[{', '"gross":30000', '"gross":20000')
    assert await findings(world) == [
        "default s: charges.C1.statements[0].amount.gross: stored 20000, facts say 30000",
    ]


async def test_every_digit_of_the_state_counts(world: World) -> None:
    await cancelled(world)
    text = await world.pool.fetchval("select state::text from subscription")
    places = [place for place, sign in enumerate(text) if sign.isdigit()]
    for place in places:
        flipped = f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}"
        await world.pool.execute("update subscription set state = $1::json", flipped)
        assert await findings(world), f"{text[place - 40 : place]}>{text[place]}<{text[place + 1 : place + 20]}"
    await world.pool.execute("update subscription set state = $1::json", text)
    assert await findings(world) == []


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("sequence", "5", "row.sequence: stored 5, facts say 4"),
        ("customer_id", "'another'", 'row.customer_id: stored "another", facts say "customer"'),
        ("ends_at", "null", 'row.ends_at: stored null, facts say "2026-11-20T23:00:00+00:00"'),
        ("open_since", "null", 'row.open_since: stored null, facts say "2026-11-12T08:00:00+00:00"'),
        ("due_at", "null", 'row.due_at: stored "not set", facts say "set"'),
        ("state", "null", 'state: stored nothing, facts say "a subscription"'),
    ],
)
async def test_a_column_beside_the_state_that_differs_is_named(
    world: World, column: str, value: str, named: str
) -> None:
    await cancelled(world)
    await world.pool.execute(f"update subscription set {column} = {value}")  # noqa: S608  the example
    assert await findings(world) == [f"default s: {named}"]


async def test_another_history_of_what_was_published_is_named(world: World) -> None:
    await cancelled(world)
    await world.pool.execute("delete from outbox")
    await world.pool.execute("update subscription set published = set_byte(published, 3, get_byte(published, 3) # 1)")
    (finding,) = await findings(world)
    assert finding.startswith("default s: published: stored ")


async def test_a_flipped_digit_in_the_outbox_is_named_with_both_values(world: World) -> None:
    await cancelled(world)
    row = await outbox(world, "credit-adjustment")
    value = row["value"].replace(b'"amount":"100.00"', b'"amount":"100.01"')
    await world.pool.execute("update outbox set value = $2 where id = $1", row["id"], value)
    name = f"outbox {row['id']} (credit-adjustment)"
    assert await findings(world) == [f'default s: {name} value.amount: stored "100.01", facts say "100.00"']


async def test_every_digit_of_the_outbox_counts(world: World) -> None:
    await cancelled(world)
    for row in await world.pool.fetch("select id, value from outbox order by id"):
        value: bytes = row["value"]
        for place in [place for place, sign in enumerate(value) if 48 <= sign < 58]:
            flipped = value[:place] + bytes([48 + (value[place] - 47) % 10]) + value[place + 1 :]
            await world.pool.execute("update outbox set value = $2 where id = $1", row["id"], flipped)
            assert await findings(world), value[place - 40 : place + 20]
        await world.pool.execute("update outbox set value = $2 where id = $1", row["id"], value)
    assert await findings(world) == []


async def test_a_snapshot_in_the_outbox_is_compared_too(world: World) -> None:
    await cancelled(world)
    row = await outbox(world, "subscription-timeline")
    value = row["value"].replace(b'"kept":"200.00"', b'"kept":"201.00"')
    await world.pool.execute("update outbox set value = $2 where id = $1", row["id"], value)
    (finding,) = await findings(world)
    assert finding.endswith('(subscription-timeline) value.charges[0].kept: stored "201.00", facts say "200.00"')


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("topic = 'period-shortened'", 'topic: stored "period-shortened", facts say "credit-adjustment"'),
        ("key = 'default:t'", 'key: stored "default:t", facts say "default:s"'),
        ("headers[10] = 't'", 'headers.ce_subject: stored "t", facts say "s"'),
        ("headers[4] = 'x'", "waits under the id x, facts say nothing of it"),
    ],
)
async def test_what_goes_out_under_another_name_is_found(world: World, change: str, named: str) -> None:
    await cancelled(world)
    row = await outbox(world, "credit-adjustment")
    await world.pool.execute(f"update outbox set {change} where id = $1", row["id"])  # noqa: S608  the example
    assert any(named in finding for finding in await findings(world)), await findings(world)


async def test_an_outcome_lost_from_the_middle_of_the_outbox_is_noticed(world: World) -> None:
    await cancelled(world)
    row = await outbox(world, "renewal-cancelled")
    await world.pool.execute("delete from outbox where id = $1", row["id"])
    assert await findings(world) == [
        "default s: outbox: outcomes [1, 2, 4] wait, facts say that the last of 4 do, in order"
    ]


async def test_the_trace_of_the_cause_in_a_record_is_no_difference(world: World) -> None:
    cancel = world.cancel()
    trace = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("ce_correlationid", b"7")]
    await world.flow.process([world.activated(), world.record(REQUESTED, cancel.value, [*cancel.headers, *trace])])
    assert await findings(world) == []


async def test_a_flipped_digit_in_a_fact_is_named_with_what_follows_from_it(world: World) -> None:
    await cancelled(world)
    await flip_bytes(world, "invoice-issued", b'"300.00"', b'"310.00"')
    found = await findings(world)
    assert found[0] == "default s: fact 2 (invoice-issued issued): is not as it was written"
    assert "default s: charges.C1.statements[0].amount.gross: stored 30000, facts say 31000" in found


async def test_every_digit_of_the_facts_counts(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(sku="an extra 42"), world.cancel()])
    world.pass_by(days=10)
    await world.flow.end_due()
    for row in await world.pool.fetch("select position, data from fact"):
        data: bytes = row["data"]
        for place in [place for place, sign in enumerate(data) if 48 <= sign < 58]:
            flipped = data[:place] + bytes([48 + (data[place] - 47) % 10]) + data[place + 1 :]
            await world.pool.execute("update fact set data = $2 where position = $1", row["position"], flipped)
            assert await findings(world), data[place - 40 : place + 20]
        await world.pool.execute("update fact set data = $2 where position = $1", row["position"], data)
    assert await findings(world) == []


@pytest.mark.parametrize(
    "change",
    [
        *("time = time + interval '1 second'", "recorded_at = recorded_at + interval '1 microsecond'"),
        *("policies = 1", "conflicting = not conflicting", "source = 'test2'", "event_id = event_id || '2'"),
    ],
)
@pytest.mark.parametrize("kind", ["invoice-issued", "cancellation-requested", "clock"])
async def test_a_fact_is_found_changed_in_any_of_its_parts(world: World, change: str, kind: str) -> None:
    await cancelled(world)
    world.pass_by(days=10)
    await world.flow.end_due()
    await world.pool.execute(f"update fact set {change} where type = $1", kind)  # noqa: S608  the example
    assert any("is not as it was written" in finding for finding in await findings(world))


@pytest.mark.parametrize("kind", ["subscription-activated", "invoice-issued", "cancellation-requested", "clock"])
async def test_a_lost_fact_is_noticed(world: World, kind: str) -> None:
    await cancelled(world)
    world.pass_by(days=10)
    await world.flow.end_due()
    await world.pool.execute("delete from fact where type = $1", kind)
    assert await findings(world)


async def test_facts_that_can_be_decided_no_more_are_a_finding_and_their_neighbours_are_verified(world: World) -> None:
    lives = [world.activated("r", "ar"), world.cancel("r", "cr"), world.activated("t", "at"), world.cancel("t", "ct")]
    await world.flow.process([world.activated(), *lives])
    await flip_bytes(world, "subscription-activated", b'"300.00"', b'"300,00"', "r")
    await world.pool.execute("update subscription set sequence = 7 where subscription_id = 't'")
    changed, undecided, neighbour = await findings(world)
    assert changed == "default r: fact 1 (subscription-activated ar): is not as it was written"
    assert undecided.startswith("default r: fact 1 (subscription-activated ar): cannot be decided once more:")
    assert neighbour == "default t: row.sequence: stored 7, facts say 3"


async def test_facts_whose_subscription_is_gone_are_found(world: World) -> None:
    await cancelled(world)
    await world.pool.execute("delete from outbox")
    await world.pool.execute("delete from subscription")
    assert await findings(world) == ['default s: state: stored nothing, facts say "a subscription"']


async def test_verifying_changes_nothing_and_waits_for_nobody(world: World) -> None:
    await cancelled(world)
    async with world.pool.acquire() as worker, worker.transaction():
        await worker.execute("select * from subscription for update")
        await worker.execute("update subscription set sequence = 9")
        assert await findings(world) == []


async def test_the_command_says_what_differs_and_ends_with_1(world: World, database: str) -> None:
    await cancelled(world)
    code, out, err = command_line(database, "verify")
    assert (code, out) == (0, "1 subscription verified: all is as the facts say\n")
    assert "1 of 1 subscriptions verified" in err
    await flip(world, "subscription", "state", '"statements":[{', '"gross":30000', '"gross":20000')
    code, out, _ = command_line(database, "verify", "--tenant", "default", "--json")
    words = "stored 20000, facts say 30000"
    where = {"tenant_id": "default", "subscription_id": "s", "field": "charges.C1.statements[0].amount.gross"}
    assert (code, json.loads(out)) == (
        1,
        {"subscriptions": 1, "differences": 1, "findings": [{**where, "words": words}]},
    )
    assert command_line(database, "verify", "--subscription", "another")[0] == 0


async def test_the_preview_of_a_subscription_is_printed_and_leaves_it_as_it_is(world: World, database: str) -> None:
    await world.flow.process([world.activated(), world.issued()])
    before = await world.pool.fetchrow("select state::text, updated_at from subscription")
    code, out, _ = command_line(database, "preview", "s", "--date", "2026-11-21", "--json")
    assert code == 0
    ended = json.loads(out)["modes"]["on-date"]
    assert (ended["end_date"], ended["kept"], ended["credited"]) == ("2026-11-21", "200.00", "100.00")
    code, out, _ = command_line(database, "preview", "s")
    assert code == 0
    assert "end-of-period" in out
    assert await world.pool.fetchrow("select state::text, updated_at from subscription") == before
    assert await world.pool.fetchval("select count(*) from fact") == 2
    assert command_line(database, "preview", "nobody")[0] == 1


async def outbox(world: World, kind: str) -> asyncpg.Record:
    """The record of this type that waits in the outbox."""
    statement = "select id, value from outbox where headers @> array[convert_to($1, 'UTF8')] order by id"
    (row,) = await world.pool.fetch(statement, kind)
    return row


async def flip(world: World, table: str, column: str, after: str, old: str, new: str) -> None:
    """Changes the first place in a document after a mark."""
    text: str = await world.pool.fetchval(f"select {column}::text from {table}")  # noqa: S608  the example
    start = text.index(after)
    changed = text[:start] + text[start:].replace(old, new, 1)
    assert changed != text
    await world.pool.execute(f"update {table} set {column} = $1::json", changed)  # noqa: S608  the example


async def flip_bytes(world: World, kind: str, old: bytes, new: bytes, subscription: str = "s") -> Any:  # noqa: ANN401
    """Changes what a fact says."""
    where = "where type = $1 and subscription_id = $2"
    data = await world.pool.fetchval(f"select data from fact {where}", kind, subscription)  # noqa: S608  the example
    assert old in data
    changed = data.replace(old, new)
    await world.pool.execute(f"update fact set data = $3 {where}", kind, subscription, changed)  # noqa: S608
