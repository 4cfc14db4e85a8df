"""Whoever watches the books can list what has not been carried out yet, the oldest first."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from service.ops import adjustments
from service.settings import Settings
from tests.flow.conftest import LIFECYCLE, World, command_line


async def waiting(world: World, database: str, tenant: str | None = None, days: int = 0, limit: int = 50) -> list[str]:
    found = await adjustments.read(Settings(database_url=database), tenant, timedelta(days=days), limit, world.now)
    return [f"{each.key[1]}: {each.direction} {each.amount} {each.currency}, {each.age.days} days" for each in found]


async def credited(world: World, subscription: str) -> None:
    await world.flow.process(
        [
            world.activated(subscription, f"a {subscription}"),
            world.issued(subscription, f"i {subscription}"),
            world.cancel(subscription, f"c {subscription}"),
        ]
    )


async def test_they_are_listed_by_age_until_invoicing_carries_them_out(world: World, database: str) -> None:
    await credited(world, "old")
    world.pass_by(days=3)
    await credited(world, "new")
    assert await waiting(world, database) == ["old: credit 100.00 DKK, 3 days", "new: credit 100.00 DKK, 0 days"]
    assert await waiting(world, database, days=2) == ["old: credit 100.00 DKK, 3 days"]
    assert await waiting(world, database, limit=1) == ["old: credit 100.00 DKK, 3 days"]
    assert await waiting(world, database, tenant="another") == []
    (adjustment_id,) = [
        event["data"]["adjustment_id"]
        for event in await world.published()
        if event["type"] == "credit-adjustment" and event["data"]["subscription_id"] == "old"
    ]
    settling = {"charge_id": "N1", "kind": "credit", "amount": "100.00", "settles_adjustment_id": adjustment_id}
    note = {"subscription_id": "old", "invoice_id": "NOTE-1", "charges": [settling]}
    await world.flow.process([world.event(LIFECYCLE, "invoice-issued", "note", note, time="2026-11-15T09:00:00+01:00")])
    assert await waiting(world, database) == ["new: credit 100.00 DKK, 0 days"]


async def test_the_command_prints_them(world: World, database: str) -> None:
    world.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3, hours=1)
    code, out, _ = command_line(database, "adjustments")
    assert (code, out) == (0, "No adjustment is open.\n")
    await world.flow.process([world.activated(), world.issued(), world.cancel(date="2026-11-21")])
    shown = await world.pool.fetchval("select open_since from subscription")
    code, out, _ = command_line(database, "adjustments")
    assert (code, shown) == (0, world.now)
    assert "3 d" in out
    assert "100.00 DKK" in out
    code, out, _ = command_line(database, "adjustments", "--json", "--older-than", "3")
    (listed,) = json.loads(out)
    assert (listed["invoice_id"], listed["charge_id"], listed["direction"]) == ("INV-1", "C1", "credit")
    assert json.loads(command_line(database, "adjustments", "--json", "--older-than", "4")[1]) == []
