"""A subscription whose decision fails is held: what comes for it waits in order, and its neighbours go on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from service import batch
from service.ops.verify import Scope, verify
from service.settings import Settings, Topics
from tests.flow.conftest import REQUESTED, World, command_line

CANCELLED = ["cancellation-scheduled", "period-shortened", "renewal-cancelled", "credit-adjustment"]
KEY = ("default", "s")


@contextmanager
def a_bug(name: str, subscription: str = "s", event_id: str | None = None) -> Iterator[None]:
    """One function that decisions go through raises for a subscription, or for one of its events only."""
    right = getattr(batch, name)

    def wrong(about: Any, *rest: Any) -> Any:  # noqa: ANN401  whatever the function takes
        met = event_id is None or event_id in {getattr(argument, "event_id", None) for argument in rest}
        if getattr(about, "subscription_id", about) == subscription and met:
            raise ValueError("a bug of ours")
        return right(about, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, name, wrong)
        yield


async def held(world: World) -> dict[str, str]:
    """Which subscriptions are held, and why."""
    rows = await world.pool.fetch("select subscription_id, held_because from subscription where held_since is not null")
    return {row["subscription_id"]: row["held_because"] for row in rows}


async def waiting(world: World) -> list[str]:
    """The ids of the events that wait, in order."""
    rows = await world.pool.fetch("select headers from parked order by position")
    return [row["headers"][3].decode() for row in rows]


async def findings(world: World) -> list[str]:
    async with world.pool.acquire() as connection:
        batches = verify(connection, Settings(), Topics(), Scope())
        return [str(finding) async for each in batches for finding in each.findings]


async def facts(world: World) -> list[str]:
    """The ids of the events that were decided, in order."""
    rows = await world.pool.fetch("select event_id from fact where subscription_id = 's' order by position")
    return [row["event_id"] for row in rows]


async def test_what_fails_and_all_that_follows_waits_in_order_and_its_neighbours_are_decided(world: World) -> None:
    await world.flow.process([world.activated(), world.activated("t", "at")])
    with a_bug("decide"), capture_logs() as logs:
        await world.flow.process([world.issued(), world.issued("t", "it"), world.cancel(), world.cancel("t", "ct")])
        await world.flow.process([world.cancel(event_id="later", date="2026-11-25")])
    assert await world.types() == CANCELLED
    assert {record["data"]["subscription_id"] for record in await world.published()} == {"t"}
    assert await waiting(world) == ["issued", "cancel", "later"]
    assert await held(world) == {"s": "ValueError: a bug of ours"}
    alerts = [line for line in logs if line["log_level"] == "error"]
    assert [(alert["event"], alert["subscription_id"]) for alert in alerts] == [("subscription-held", "s")]
    assert await findings(world) == []


async def test_after_the_fix_what_waited_is_decided_in_order_and_once(world: World) -> None:
    with a_bug("decide"):
        await world.flow.process([world.activated(), world.issued(), world.cancel()])
        world.pass_by(hours=30)
        await world.flow.process([world.cancel(event_id="later", date="2026-11-25")])
        await world.flow.end_due()
    assert await world.flow.resume(KEY) is None
    assert await world.types() == [*CANCELLED, "cancellation-rescheduled", "period-restored", "credit-adjustment"]
    assert await facts(world) == ["activated", "issued", "cancel", "later"]
    assert await findings(world) == []
    published = await world.published()
    assert await world.flow.resume(KEY) is None
    await world.flow.process([world.issued(), world.cancel()])
    assert await world.published() == published
    assert (await held(world), await waiting(world)) == ({}, [])


async def test_a_repeat_of_what_waits_is_a_repeat(world: World) -> None:
    await world.flow.process([world.activated()])
    with a_bug("decide"):
        await world.flow.process([world.cancel(), world.cancel()])
        await world.flow.process([world.cancel()])
    assert await waiting(world) == ["cancel"]


async def test_what_fails_again_stays_held_behind_what_could_be_decided(world: World) -> None:
    with a_bug("decide"):
        await world.flow.process([world.activated(), world.issued(), world.cancel()])
        (since,) = await world.pool.fetchrow("select held_since from subscription")
    world.pass_by(hours=1)
    with a_bug("decide", event_id="cancel"):
        again = await world.flow.resume(KEY)
        await world.flow.process([world.cancel(event_id="later", date="2026-11-25")])
    assert again is not None
    assert again.since == since
    assert (await facts(world), await waiting(world)) == (["activated", "issued"], ["cancel", "later"])
    assert await findings(world) == []
    await world.flow.resume(KEY)
    assert await facts(world) == ["activated", "issued", "cancel", "later"]


async def test_an_activation_that_fails_is_resumed_before_what_came_ahead_of_it(world: World) -> None:
    await world.flow.process([world.issued()])
    with a_bug("activate", subscription="default"):
        await world.flow.process([world.cancel(), world.activated()])
    world.pass_by(days=2)
    assert await world.flow.end_due() == 0
    assert await waiting(world) == ["activated", "issued", "cancel"]
    await world.flow.resume(KEY)
    assert await facts(world) == ["activated", "issued", "cancel"]
    assert await world.types() == CANCELLED
    assert await findings(world) == []


async def test_the_clock_leaves_a_held_subscription_alone_and_comes_by_when_it_is_resumed(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(), world.cancel()])
    world.pass_by(days=9)
    with a_bug("tick"):
        assert await world.flow.end_due() == 1
        assert await world.flow.end_due() == 0
        assert await held(world) == {"s": "ValueError: a bug of ours"}
        assert await world.flow.resume(KEY) is not None
    assert await findings(world) == []
    assert await world.flow.end_due() == 0
    assert await world.flow.resume(KEY) is None
    assert (await world.types())[-1] == "subscription-ended"
    assert await findings(world) == []


async def test_a_command_that_waited_past_the_end_still_counts_by_its_own_time(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(), world.cancel()])
    revoke = {"subscription_id": "s"}
    with a_bug("decide"):
        await world.flow.process([world.event(REQUESTED, "cancellation-revoked", "regret", revoke)])
        world.pass_by(days=30)
        await world.flow.end_due()
    await world.flow.resume(KEY)
    await world.flow.end_due()
    assert (await world.types())[-4:] == [
        *("cancellation-withdrawn", "period-restored", "renewal-reinstated", "credit-adjustment"),
    ]
    assert await findings(world) == []


async def test_a_second_use_of_an_id_that_waited_is_answered_as_one(world: World) -> None:
    await world.flow.process([world.activated(), world.cancel()])
    with a_bug("conflicting"):
        await world.flow.process([world.cancel(date="2026-11-25"), world.issued()])
    await world.flow.resume(KEY)
    refused = [record["data"]["code"] for record in await world.published() if record["type"].endswith("rejected")]
    assert refused == ["conflicting-content"]
    assert await findings(world) == []


async def test_a_timeline_that_cannot_be_drawn_holds_back_nothing_that_was_decided(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "drawn", broken)
        await world.flow.process([world.activated(), world.issued(), world.cancel()])
    assert await world.types() == CANCELLED
    assert list(await held(world)) == ["s"]
    drawn = "select count(*) from outbox where topic = 'subscription-timeline'"
    assert await world.pool.fetchval(drawn) == 0
    await world.flow.resume(KEY)
    assert await world.pool.fetchval(drawn) == 1
    assert (await held(world), await findings(world)) == ({}, [])


async def test_a_state_that_cannot_be_read_holds_its_subscription_only(world: World) -> None:
    await world.flow.process([world.activated(), world.activated("t", "at")])
    state = await world.pool.fetchval("select state::text from subscription where subscription_id = 's'")
    await world.pool.execute("update subscription set state = '{}' where subscription_id = 's'")
    await world.flow.process([world.cancel(), world.cancel("t", "ct"), world.activated(event_id="again")])
    assert list(await held(world)) == ["s"]
    assert "cancellation-scheduled" in await world.types()
    assert await world.flow.resume(KEY) is not None
    await world.pool.execute("update subscription set state = $1::json where subscription_id = 's'", state)
    await world.flow.resume(KEY)
    assert await facts(world) == ["activated", "cancel"]
    assert await findings(world) == []


async def test_a_fact_that_does_not_fit_is_set_aside_and_may_come_again(world: World) -> None:
    for _ in range(2):
        await world.flow.process([world.activated(), world.issued(amount="300.005")])
    assert await world.types() == ["dead-letter"] * 2
    assert await world.pool.fetchval("select count(*) from inbox") == 1
    await world.flow.process([world.issued(), world.cancel()])
    assert await world.types() == ["dead-letter", "dead-letter", *CANCELLED]


async def test_one_that_does_not_fit_and_then_does_is_decided_once(world: World) -> None:
    late = world.issued(amount="300.005"), world.issued(), world.issued(), world.activated()
    await world.flow.process(late)
    await world.flow.process([world.issued(), world.cancel()])
    assert (await world.types())[-4:] == CANCELLED
    assert (await facts(world)).count("issued") <= 1


async def test_the_commands_list_what_is_held_and_resume_it(world: World, database: str) -> None:
    assert command_line(database, "held")[1] == "No subscription is held.\n"
    for name in ("s", "t"):
        await world.flow.process([world.activated(name, f"a{name}")])
        with a_bug("decide", name):
            await world.flow.process([world.issued(name, f"i{name}"), world.cancel(name, f"c{name}")])
    code, out, _ = command_line(database, "held", "--json")
    (first, _) = json.loads(out)
    assert (code, first["subscription_id"], first["waiting"]) == (0, "s", 2)
    assert first["held_because"] == "ValueError: a bug of ours"
    assert "a bug of ours" in command_line(database, "held")[1]
    assert command_line(database, "resume")[0] == 2
    assert command_line(database, "resume", "nobody")[0] == 1
    assert command_line(database, "resume", "s")[:2] == (0, "default s: 2 events decided\n")
    code, out, _ = command_line(database, "resume", "--all", "--json")
    said = {"tenant_id": "default", "subscription_id": "t", "waited": 2, "held_because": None}
    assert (code, json.loads(out)) == (0, [said])
    assert command_line(database, "resume", "--all")[:2] == (0, "No subscription is held.\n")
    assert await world.types() == CANCELLED * 2


async def test_two_who_resume_at_once_decide_once(world: World) -> None:
    with a_bug("decide"):
        await world.flow.process([world.activated(), world.issued(), world.cancel()])
    await asyncio.gather(*(world.flow.resume(KEY) for _ in range(4)))
    assert await world.types() == CANCELLED


def broken(*_: object) -> None:
    raise KeyError("a bug of ours")
