"""What others send: lives that come with books, policies that change nothing, strangers nobody knows, and scrap."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from service.messages.envelope import Headers
from tests.lives import LIFECYCLE, REQUESTED, Event, Life, life

POLICY = "cancellation-policy"
LARGEST = 24
"""How many events a life has at most."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as it will be told, once or more often."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    timestamp: int


@dataclass(frozen=True, slots=True)
class Stranger:
    """A subscription that is asked to end before it is heard of, if ever it is."""

    subscription_id: str
    early: tuple[Sent, ...]
    late: tuple[Sent, ...]

    @property
    def event_ids(self) -> set[str]:
        return {dict(sent.headers)["ce_id"].decode() for sent in (*self.early, *self.late)}  # type: ignore[union-attr]


@cache
def small_life(seed: int) -> Life | None:
    """The life of that seed, unless it is a long one."""
    told = life(seed)
    return told if len(told.lifecycle) + len(told.commands) <= LARGEST else None


@cache
def records(seed: int) -> tuple[tuple[Sent, ...], tuple[Sent, ...]]:
    """Both topics of a life, in order."""
    told = small_life(seed)
    assert told is not None, "only small lives are told"
    return tuple(map(_record, told.lifecycle)), tuple(map(_record, told.commands))


@cache
def policy(tenant: str, number: int) -> Sent:
    """A policy that says what holds anyway."""
    at = f"2020-01-0{1 + number % 9}T00:00:00+00:00"
    data = {"tenant_id": tenant, "settlement": "prorate", "earliest_backdate_days": 366}
    return _record(Event(POLICY, "cancellation-policy-set", f"policy-{tenant}-{number}", "/ops", at, data), tenant)


@cache
def stranger(number: int) -> Stranger:
    """Every other one is activated after all, around the time that its request has waited for too long."""
    name, at = f"stranger-{number}", "2026-11-01T12:00:00+00:00"
    activated = {
        "subscription_id": name,
        "customer_id": "stranger",
        "currency": "DKK",
        "time_zone": "Europe/Copenhagen",
        "start_date": "2026-10-01",
        "interval": "P1M",
        "billing": "in-advance",
        "lines": [{"line_id": "L1", "amount": "300.00"}],
    }
    asked = {"subscription_id": name, "end": {"mode": "end-of-period"}}
    request = Event(REQUESTED, "cancellation-requested", f"{name}-request", "/self-service", at, asked)
    activation = Event(LIFECYCLE, "subscription-activated", f"{name}-activation", "/billing", at, activated)
    return Stranger(name, (_record(request),), (_record(activation),) if number % 2 else ())


@cache
def scrap(number: int) -> Sent:
    """What is no event at all."""
    return Sent(REQUESTED, f"scrap-{number % 2}".encode(), f"no JSON {number}".encode(), (), 0)


def _record(event: Event, key: str | None = None) -> Sent:
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
    }
    headers: Sequence[tuple[str, bytes | None]] = [(f"ce_{name}", told.encode()) for name, told in attributes.items()]
    name = (key or str(event.data["subscription_id"])).encode()
    timestamp = int(datetime.fromisoformat(event.time).timestamp() * 1000)
    return Sent(event.topic, name, json.dumps(event.data).encode(), headers, timestamp)
