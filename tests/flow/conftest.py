"""The flow on a real Postgres, with records made by hand and a clock that is told the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import asyncpg
import pytest

from service.flow import Flow
from service.messages.envelope import Headers
from service.settings import Settings, Topics
from service.store.records import Incoming, unflatten

LIFECYCLE, REQUESTED = "subscription-lifecycle", "cancellation-requested"


@dataclass
class World:
    """A flow, its clock, and the two topics as far as they have been written."""

    pool: asyncpg.Pool
    now: datetime = datetime(2026, 11, 12, 8, 0, tzinfo=UTC)
    offsets: dict[tuple[str, int], count[int]] = field(default_factory=dict)

    @property
    def flow(self) -> Flow:
        return Flow(self.pool, Settings(), Topics(), lambda: self.now)

    def record(
        self,
        topic: str,
        value: bytes | None,
        headers: Headers,
        *,
        key: bytes | None = b"s",
        partition: int = 0,
    ) -> Incoming:
        """The next record of a partition."""
        offset = next(self.offsets.setdefault((topic, partition), count()))
        return Incoming(topic, partition, offset, int(self.now.timestamp() * 1000), key, value, headers)

    def event(
        self,
        topic: str,
        event_type: str,
        event_id: str,
        data: Mapping[str, Any],
        *,
        time: str | None = "2026-11-12T09:00:00+01:00",
        partition: int = 0,
    ) -> Incoming:
        """An event in binary mode."""
        headers = {"ce_specversion": "1.0", "ce_id": event_id, "ce_source": "tests", "ce_type": event_type}
        if time is not None:
            headers["ce_time"] = time
        encoded = [(name, value.encode()) for name, value in headers.items()]
        return self.record(topic, json.dumps(data).encode(), encoded, partition=partition)

    def activated(self, subscription: str = "s", event_id: str = "activated", **changes: object) -> Incoming:
        """300.00 DKK a month in advance from 1 November 2026."""
        data = {
            "subscription_id": subscription,
            "customer_id": "customer",
            "currency": "DKK",
            "time_zone": "Europe/Copenhagen",
            "start_date": "2026-11-01",
            "interval": "P1M",
            "billing": "in-advance",
            "lines": [{"line_id": "L1", "amount": "300.00"}],
            **changes,
        }
        return self.event(LIFECYCLE, "subscription-activated", event_id, data, time="2026-11-01T00:00:00+01:00")

    def issued(self, subscription: str = "s", event_id: str = "issued", **changes: object) -> Incoming:
        """The invoice of November."""
        period = {"start": "2026-11-01", "end": "2026-12-01"}
        charge = {"charge_id": "C1", "line_id": "L1", "period": period, "amount": "300.00", **changes}
        data = {"subscription_id": subscription, "invoice_id": "INV-1", "charges": [charge]}
        return self.event(LIFECYCLE, "invoice-issued", event_id, data, time="2026-11-01T00:00:00+01:00")

    def cancel(self, subscription: str = "s", event_id: str = "cancel", date: str = "2026-11-21") -> Incoming:
        """A request to end on a date."""
        data = {"subscription_id": subscription, "end": {"mode": "on-date", "date": date}}
        return self.event(REQUESTED, "cancellation-requested", event_id, data)

    async def published(self) -> list[dict[str, Any]]:
        """What the outbox holds, in order: topic, type, data and headers; snapshots left out."""
        rows = await self.pool.fetch("select topic, key, value, headers from outbox order by id")
        found = []
        for row in rows:
            headers = dict(unflatten(row["headers"]))
            kind = (headers.get("ce_type") or b"").decode()
            if kind != "subscription-timeline":
                dead = row["topic"] == "cancellation-dead-letter"
                data = None if dead else json.loads(row["value"])
                found.append({**dict(row), "type": "dead-letter" if dead else kind, "data": data, "headers": headers})
        return found

    async def types(self) -> list[str]:
        """The types of what the outbox holds, in order."""
        return [record["type"] for record in await self.published()]

    def pass_by(self, **amount: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**amount)


@pytest.fixture
def world(pool: asyncpg.Pool) -> World:
    return World(pool)


def command_line(database: str, *arguments: str) -> tuple[int, str, str]:
    """Runs the service's command line; its exit code and what it wrote."""
    environment = {**os.environ, "DATABASE_URL": database, "COLUMNS": "200"}
    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "service", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr
