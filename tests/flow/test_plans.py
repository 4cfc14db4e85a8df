"""That nothing gets slower as the business grows: each statement finds its rows by an index, and reads no others.

`PLAN_ROWS` says how many subscriptions there are besides those that something happens to.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Any, cast

import pytest

from service.local import Servers
from service.store import figures, outbox, subscriptions
from service.store.roles import Roles
from tests.conftest import cloned
from tests.flow.conftest import World
from tests.flow.plans import Plans, fill, reporting

ROWS = int(os.environ.get("PLAN_ROWS", "40000"))
ROUNDS = 8
"""After a few, Postgres settles for plans that no longer look at what is asked for."""
TOUCHED = 20
EVENTS = 5 * TOUCHED + 2
BY_TIME = {"subscription_due", "parked_expires", "subscription_open", "subscription_held", "subscription_ends"}
"""What the clock and the operators look for goes by time, whosever it is: each shard would answer for itself."""
KEYS = {
    "subscription": ("tenant_id",),
    "parked": ("tenant_id", "subscription_id"),
    "policy": ("tenant_id",),
    "inbox": ("event",),
    "inbox_before": ("event",),
    "outbox": ("id",),
}
"""What each table is split by where one database is not enough."""


@pytest.fixture(scope="module")
async def seen(embedded: Servers, template: str, roles: Roles) -> Plans:
    """What the flow does as the service's own user, who is not to be held up by what readers may see."""
    async with cloned(embedded.postgres, template) as database, reporting(database) as reported:
        world = World(cast("Any", reported))
        await fill(reported.connection, ROWS, world.now + timedelta(days=1000))
        await reported.connection.execute(f"set role {roles.service}")
        reported.plans.found.clear()
        for number in range(ROUNDS):
            await something_of_everything(world, number)
        return reported.plans


async def something_of_everything(world: World, number: int) -> None:
    """Lives that begin, run and are cancelled, repeats, requests that wait in vain, and what the clock brings about."""
    names = [f"s-{number}-{each}" for each in range(TOUCHED)]
    lives = [
        record
        for name in names
        for record in (
            world.activated(name, f"a-{name}"),
            world.issued(name, f"i-{name}", charge_id=f"C-{name}"),
            world.cancel(name, f"c-{name}"),
            world.cancel(name, f"c-{name}"),
            world.cancel(f"unknown-{name}", f"u-{name}"),
        )
    ]
    policy = world.event("cancellation-policy", "cancellation-policy-set", f"p-{number}", {"settlement": "prorate"})
    await world.flow.process([*lives, policy, world.cancel(names[0], f"c-{names[1]}")])
    async with world.pool.acquire() as connection:
        shards = await outbox.hold(connection, range(16))
        waiting = await outbox.pending(connection, shards, 500)
        await outbox.delete(connection, [record for record, _ in waiting])
        await subscriptions.read(connection, ("default", names[0]))
        await subscriptions.with_open_adjustments(connection, world.now, None, TOUCHED)
        await figures.read(connection, world.now, (timedelta(hours=1),), (500, 500))
    world.pass_by(hours=25)
    await world.flow.end_due(TOUCHED)


def test_every_statement_finds_what_it_needs_by_an_index(seen: Plans) -> None:
    assert {scan.table for _, scan in seen.scans()} == KEYS.keys()
    assert [f"{scan.table}: {plan.seen}" for plan, scan in seen.scans() if scan.index is None] == []


def test_no_statement_reads_more_than_a_batch_is_about(seen: Plans) -> None:
    most = EVENTS * 10  # an event has at most so many outcomes
    assert [f"{scan.rows:.0f} of {scan.table}: {plan.seen}" for plan, scan in seen.scans() if scan.rows > most] == []


def test_every_statement_names_what_its_table_is_split_by_or_goes_by_time(seen: Plans) -> None:
    without = [
        f"{scan.table}: {plan.seen}"
        for plan, scan in seen.scans()
        if scan.index not in BY_TIME and not all(re.search(rf"\b{key}\b", plan.statement) for key in KEYS[scan.table])
    ]
    assert without == []
