"""Where one table is too large: all of them as native hash partitions, and nothing else is different."""

from __future__ import annotations

import json

import asyncpg
import pytest

from service.ops.verify import Scope, verify
from service.settings import Settings, Topics
from tests.flow.conftest import World
from tests.flow.test_plans import something_of_everything

BY = {
    "subscription": "tenant_id, subscription_id",
    "fact": "tenant_id, subscription_id",
    "parked": "tenant_id, subscription_id",
    "inbox": "event",
    "inbox_before": "event",
    "outbox": "id",
}
"""What each large table is partitioned by; the others have a row for each tenant, partition or dead letter."""
_PARTS = 4
_COUNTS = "select tableoid::regclass::text as part, count(*) as rows from {table} group by 1"


@pytest.fixture
async def partitioned(world: World) -> World:
    async with world.pool.acquire() as connection:
        for table, columns in BY.items():
            await connection.execute(
                f"alter table {table} rename to {table}_whole;"
                f"create table {table} (like {table}_whole including all) partition by hash ({columns});"
                f"drop table {table}_whole"
            )
            for part in range(_PARTS):
                await connection.execute(
                    f"create table {table}_{part} partition of {table} "
                    f"for values with (modulus {_PARTS}, remainder {part})"
                )
    return world


async def test_what_is_decided_on_partitioned_tables_is_what_its_facts_say(partitioned: World) -> None:
    for number in range(2):
        await something_of_everything(partitioned, number)
    async with partitioned.pool.acquire() as connection:
        batches = [batch async for batch in verify(connection, Settings(), Topics(), Scope())]
        assert sum(batch.subscriptions for batch in batches) > 0
        assert [str(finding) for batch in batches for finding in batch.findings] == []
        for table in ("subscription", "fact"):
            rows = await connection.fetch(_COUNTS.format(table=table))
            assert len(rows) == _PARTS, f"{table} is spread over all of its parts"


async def test_the_inbox_changes_generations_though_it_is_partitioned(partitioned: World) -> None:
    again = [partitioned.activated("s", "a"), partitioned.cancel("s", "c")]
    await partitioned.flow.process(again)
    for _ in range(2):
        partitioned.pass_by(days=100)
        await partitioned.flow.housekeep()
    async with partitioned.pool.acquire() as connection:
        for generation in ("inbox", "inbox_before"):
            assert await connection.fetchval(f"select count(*) from {generation}") == 0  # noqa: S608  one of two names


async def test_one_subscription_is_looked_for_in_one_part(partitioned: World) -> None:
    await partitioned.flow.process([partitioned.activated("s", "a")])
    async with partitioned.pool.acquire() as connection:
        assert await _parts_read(connection, "select state from subscription", "s") == 1
        assert await _parts_read(connection, "select data from fact", "s") == 1


async def _parts_read(connection: asyncpg.Connection, select: str, subscription: str) -> int:
    where = f"where tenant_id = 'default' and subscription_id = '{subscription}'"
    plan = json.loads(await connection.fetchval(f"explain (format json) {select} {where}"))[0]["Plan"]
    return sum("Relation Name" in node for node in _nodes(plan))


def _nodes(plan: dict[str, object]) -> list[dict[str, object]]:
    below = plan.get("Plans", [])
    assert isinstance(below, list)
    return [plan, *(node for each in below for node in _nodes(each))]
