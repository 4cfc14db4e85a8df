# ruff: noqa: SLF001  the statements of the store are what is looked at
"""Every query of a page goes by an index, however many subscriptions there are."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from service.store import lookup, policies
from service.store.roles import Roles, confine

FILLED = """
insert into subscription (tenant_id, subscription_id, customer_id, state, updated_at)
select case when n % 10 = 0 then 'other' else 'default' end, 'S' || n, 'K' || n / 2, '{}', now()
from generate_series(1, 20000) n
"""
LAST = "\U0010ffff"


@pytest.fixture
async def filled(pool: asyncpg.Pool) -> asyncpg.Pool:
    """20,000 subscriptions of two customers' worth each, and statistics of them."""
    await pool.execute(FILLED)
    await pool.execute("analyze subscription")
    return pool


async def plan(pool: asyncpg.Pool, query: str, *arguments: object) -> list[dict[str, Any]]:
    """The nodes of a plan that reads, outermost first."""
    found = json.loads(await pool.fetchval(f"explain (format json) {query}", *arguments))
    nodes, waiting = [], [found[0]["Plan"]]
    while waiting:
        nodes.append(waiting.pop(0))
        waiting += nodes[-1].get("Plans", [])
    return nodes


@pytest.mark.parametrize("generic", ["off", "on"], ids=["for these values", "for any value"])
@pytest.mark.parametrize(
    ("query", "arguments", "index"),
    [
        (lookup._ONE, ("default", "S123"), "subscription_pkey"),
        (lookup._BY_ID, ("default", "S12", LAST, 21, ""), "subscription_by_id"),
        (lookup._BY_CUSTOMER, ("default", "K12", LAST, 21, "K12", ""), "subscription_by_customer"),
        (lookup._BY_ID, ("default", "S", LAST, 21, ""), "subscription_by_id"),
        (lookup._BY_CUSTOMER, ("default", "K", LAST, 21, "K", ""), "subscription_by_customer"),
        (lookup._BY_ID, ("nobody", "S", LAST, 21, ""), "subscription_by_id"),
        (lookup._BY_ID, ("default", "S", LAST, 21, "S15"), "subscription_by_id"),
        (lookup._BY_CUSTOMER, ("default", "K", LAST, 21, "K15", "S31"), "subscription_by_customer"),
        (lookup._CUSTOMER, ("default", "S123"), "subscription_pkey"),
    ],
    ids=[
        *("one", "by id", "by customer", "by the least of an id", "by the least of a customer", "of nobody"),
        *("further by id", "further by customer", "where a page goes on"),
    ],
)
async def test_a_page_reads_subscriptions_by_their_index_and_sorts_nothing(
    filled: asyncpg.Pool, roles: Roles, query: str, arguments: tuple[object, ...], index: str, generic: str
) -> None:
    mode = "force_generic_plan" if generic == "on" else "force_custom_plan"
    for user in ("none", roles.reader):
        async with filled.acquire() as connection, connection.transaction():
            await connection.execute(f"set local plan_cache_mode = {mode}; set local role {user}")
            assert await confine(connection, ["default", "nobody"]) == (user == roles.reader)
            nodes = await plan(connection, query, *arguments)
        assert [node["Index Name"] for node in nodes if "Index Name" in node] == [index]
        assert not {"Seq Scan", "Sort", "Incremental Sort"} & {node["Node Type"] for node in nodes}


async def test_the_policies_of_a_tenant_are_read_by_theirs(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "insert into policy (tenant_id, time, recorded_at, source, event_id, data)"
        " select 'tenant ' || n, now(), now(), 'tests', 'p' || n, '{}' from generate_series(1, 20000) n"
    )
    await pool.execute("analyze policy")
    nodes = await plan(pool, policies._READ, ["tenant 7"])
    assert "policy_pkey" in {node.get("Index Name") for node in nodes}
    assert "Seq Scan" not in {node["Node Type"] for node in nodes}


async def test_however_far_somebody_pages_no_more_is_read_than_is_shown(filled: asyncpg.Pool) -> None:
    for query, place in ((lookup._BY_ID, ("S9",)), (lookup._BY_CUSTOMER, ("K9", "S18000"))):
        start = "S" if query is lookup._BY_ID else "K"
        found = await filled.fetchval(f"explain (analyze, format json) {query}", "default", start, LAST, 21, *place)
        assert json.loads(found)[0]["Plan"]["Plans"][0].get("Rows Removed by Filter", 0) == 0


async def test_page_by_page_each_is_found_once_by_id_and_then_by_customer(pool: asyncpg.Pool) -> None:
    rows = [(f"A{n}", f"C{n % 3}") for n in range(7)] + [(f"C{n}", f"A{n % 2}") for n in range(8)]
    for subscription, customer in rows:
        await pool.execute(
            "insert into subscription (tenant_id, subscription_id, customer_id, updated_at)"
            " values ('default', $1, $2, now())",
            *(subscription, customer),
        )
    wanted = [f"A{n}" for n in range(7)] + ["C0", "C2", "C4", "C6", "C1", "C3", "C5", "C7"]
    async with pool.acquire() as connection:
        for size in (1, 2, 3, 7, 8, 20):
            seen: list[str] = []
            while page := await lookup.beginning_with(connection, "default", "A", size, seen[-1] if seen else ""):
                seen += [found.key[1] for found in page]
            assert seen == wanted
        assert await lookup.beginning_with(connection, "default", "A", 20, "unheard of") == []


async def test_what_begins_with_a_text_is_found_by_code_points_whatever_stands_in_it(pool: asyncpg.Pool) -> None:
    ids = ["a", "A", "a%", "a_b", "ab", "æ", "a-b", "a\U0001f600", "b"]
    for each in ids:
        await pool.execute(
            "insert into subscription (tenant_id, subscription_id, updated_at) values ('default', $1, now())", each
        )
    async with pool.acquire() as connection:
        for text in ("a", "a%", "a_", "A", "æ", "a\0"):
            found = await lookup.beginning_with(connection, "default", text, 20)
            assert {hit.key[1] for hit in found} == {each for each in ids if each.startswith(text)}


@pytest.mark.parametrize("text", ["nobody", "K9999", "S19999"])
async def test_a_search_goes_to_where_its_answer_would_stand(filled: asyncpg.Pool, text: str) -> None:
    async with filled.acquire() as connection:
        before = await _blocks(connection)
        await lookup.beginning_with(connection, "default", text, 21)
        assert await _blocks(connection) - before <= 30


async def _blocks(connection: asyncpg.Connection) -> int:
    """Blocks of the indexes of subscriptions that have been looked at so far."""
    await connection.execute("select pg_stat_force_next_flush()")
    read: int = await connection.fetchval(
        "select sum(idx_blks_hit + idx_blks_read)::bigint from pg_statio_user_indexes where relname = 'subscription'"
    )
    return read
