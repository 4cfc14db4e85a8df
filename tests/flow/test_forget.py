"""A subscription without its person, in the one transaction that does it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from service.messages.dead_letters import origin
from service.ops import forgetting
from service.ops.dead_letters import Letter
from service.ops.forgetting import Customer, ForgettingError, LeftError, about, rewrite_one
from service.ops.verify import Scope, verify
from service.settings import Settings, Topics
from service.store.erasures import Erasure
from service.store.records import Incoming
from tests.flow.conftest import REQUESTED, World

ACT = Erasure(UUID(int=1), "forgotten-" + "0" * 16)


def asked(world: World, event_id: str, comment: str) -> Incoming:
    """A request under one and the same id."""
    data = {
        "subscription_id": "s",
        "cancellation_id": "X",
        "end": {"mode": "on-date", "date": "2026-11-21"},
        "reason": {"code": "moved", "comment": comment},
    }
    return world.event(REQUESTED, "cancellation-requested", event_id, data)


async def forget(world: World) -> None:
    async with world.pool.acquire() as connection, connection.transaction():
        await rewrite_one(connection, Settings(), Topics(), ("default", "s"), ACT, world.now)


async def findings(world: World) -> list[str]:
    async with world.pool.acquire() as connection:
        batches = verify(connection, Settings(), Topics(), Scope())
        return [str(finding) async for batch in batches for finding in batch.findings]


async def test_what_waits_to_be_published_keeps_its_ids_numbers_and_amounts(world: World) -> None:
    await world.flow.process([world.activated(), world.issued(), asked(world, "r1", "anna"), asked(world, "r2", "ann")])
    before = await world.published()
    assert [record["type"] for record in before][-1] == "cancellation-rejected"
    await forget(world)
    after = await world.published()
    assert [record["headers"]["ce_id"] for record in after] == [record["headers"]["ce_id"] for record in before]
    named = {"customer_id": ACT.pseudonym}
    assert [record["data"] for record in after] == [{**record["data"], **named} for record in before]
    assert await findings(world) == []
    snapshots = await world.pool.fetch("select value from outbox where topic = 'subscription-timeline'")
    (shown,) = [json.loads(row["value"]) for row in snapshots]
    assert (shown["customer_id"], shown["entries"][-1]["type"]) == (ACT.pseudonym, "customer-forgotten")


async def test_a_repeat_is_still_known_as_one_and_life_goes_on(world: World) -> None:
    request = asked(world, "r1", "anna")
    await world.flow.process([world.activated(), world.issued(), request])
    await forget(world)
    count = len(await world.published())
    again = world.record(REQUESTED, request.value, request.headers)
    await world.flow.process([again, world.activated(), world.issued()])
    assert len(await world.published()) == count
    world.pass_by(minutes=1)
    regret = world.event(REQUESTED, "cancellation-revoked", "g", {"subscription_id": "s", "cancellation_id": "X"})
    await world.flow.process([regret])
    assert (await world.published())[-1]["data"]["customer_id"] == ACT.pseudonym
    assert await findings(world) == []


async def test_given_again_it_changes_nothing(world: World) -> None:
    await world.flow.process([world.activated(), asked(world, "r1", "anna")])
    await forget(world)
    rows = await world.pool.fetch("select * from fact order by position")
    await forget(world)
    assert await world.pool.fetch("select * from fact order by position") == rows


async def test_without_a_worker_that_publishes_it_is_given_up_with_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.flow.process([world.activated(), asked(world, "r1", "anna")])
    monkeypatch.setattr(forgetting, "_PATIENCE_SECONDS", 0.0)
    told: list[str] = []
    async with world.pool.acquire() as connection:
        with pytest.raises(ForgettingError, match=r"^4 records still wait .+ the workers run and reach Kafka"):
            await forgetting._published(connection, told.append)  # noqa: SLF001  the rest needs a Kafka
        assert told == ["4 records wait to be published"]
        await connection.execute("delete from outbox")
        await forgetting._published(connection, told.append)  # noqa: SLF001  as above


async def test_one_that_is_held_or_does_not_verify_is_left_as_it_was(world: World) -> None:
    await world.flow.process([world.activated(), asked(world, "r1", "anna")])
    await world.pool.execute("update subscription set sequence = 7")
    await left(world, r"does not come to what its facts say: row\.sequence")
    await world.pool.execute("update subscription set sequence = 1, held_since = now(), held_because = 'a bug'")
    await left(world, r"is held \(a bug\): resume it first")


async def left(world: World, why: str) -> None:
    rows: list[asyncpg.Record] = await world.pool.fetch("select * from fact order by position")
    with pytest.raises(LeftError, match=why):
        await forget(world)
    assert await world.pool.fetch("select * from fact order by position") == rows


def letter(value: str, *, key: str | None = None, subject: str | None = None) -> Letter:
    headers = [("dlq_topic", b"t"), ("dlq_offset", b"42")]
    headers += [] if subject is None else [("ce_subject", subject.encode())]
    encoded = None if key is None else key.encode()
    return Letter(
        ("dead", 0, 42), datetime(2026, 11, 12, tzinfo=UTC), encoded, value.encode(), headers, origin(headers)
    )


@pytest.mark.parametrize(
    ("found", "hers"),
    [
        (letter('{"customer_id": "42"}'), True),
        (letter('{"subscription_id": "s", "x": "y"}'), True),
        (letter('{"data": {"subscription_id": "s", "tenant_id": "default"}}'), True),
        (letter("[]", key="s"), True),
        (letter("[]", key="default:s"), True),
        (letter("[]", subject="s"), True),
        (letter('{"customer_id": "42", broken'), True),
        (letter('{"comment": "Anna S\\u00f8rensen rang"}'), True),
        (letter("Anna Sørensen rang"), True),
        (letter('{"customer_id": "42", "tenant_id": "other"}'), False),
        (letter('{"amount": 42, "customer_id": "142", "comment": "s-42, 42 times"}'), False),
        (letter('{"customer_id": "142", broken'), False),
        (letter("Annabel Sørensen rang"), False),
    ],
)
def test_a_dead_letter_is_the_customers_if_it_names_them_and_no_other_customer(found: Letter, *, hers: bool) -> None:
    assert about(Customer("default", "42", ("Anna Sørensen",)), [("default", "s")])(found) == hers
