"""What comes off Kafka is told once and in order, and an event counts as answered when all of it has been told."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from service.demo.listening import DEAD_LETTER, Heard, Listener
from service.domain.policy import Policy

PLACE = ("cancellation-requested", 3, 7)


@pytest.fixture
def told() -> list[Heard]:
    return []


@pytest.fixture
def listener(told: list[Heard]) -> Listener:
    listener = Listener()
    listener.tell = told.append
    return listener


def outcome(sequence: int, kind: str = "cancellation-withdrawn", **data: object) -> Any:  # noqa: ANN401  a record
    head = {"tenant_id": "default", "subscription_id": "s-1", "customer_id": "c", "cancellation_id": "x"}
    value = json.dumps({**head, "sequence": sequence, "text": "So it is.", **data}).encode()
    headers = [("ce_id", f"{kind} {sequence} {data}".encode()), ("ce_type", kind.encode()), ("ce_causationid", b"e-1")]
    return SimpleNamespace(headers=headers, key=b"default:s-1", value=value)


def snapshot(sequence: int, *event_ids: str) -> Any:  # noqa: ANN401  a record
    at = "2026-11-12T09:00:00+01:00"
    entries = [{"type": "t", "event_id": event_id, "time": at, "recorded_at": at} for event_id in event_ids]
    told: dict[str, object] = {"status": "active", "start_date": "2026-11-01", "currency": "DKK", "entries": entries}
    told |= {"time_zone": "UTC", "interval": "P1M", "policy": asdict(Policy())}
    told |= dict.fromkeys(("end_date", "last_active_day", "access_ends_at", "mode", "settlement"))
    told |= {name: [] for name in ("periods", "pauses", "prices", "charges", "adjustments")}
    return outcome(sequence, "subscription-timeline", **told)


def rejection(sequence: int) -> Any:  # noqa: ANN401  a record
    told = {"code": "unknown-subscription", "message": "No.", "rejected_type": "cancellation-revoked"}
    return outcome(sequence, "cancellation-rejected", **told)


def sequences(told: list[Heard]) -> list[int]:
    return [heard.body.sequence for heard in told if heard.body is not None]


def test_outcomes_are_told_in_the_order_of_their_numbers(listener: Listener, told: list[Heard]) -> None:
    for sequence in (2, 3, 1, 5):
        listener.take(outcome(sequence))
    assert sequences(told) == [1, 2, 3]


def test_an_outcome_that_comes_again_is_told_once(listener: Listener, told: list[Heard]) -> None:
    for sequence in (1, 1, 2, 1, 2):
        listener.take(outcome(sequence))
    assert sequences(told) == [1, 2]


def test_what_nobody_counts_is_told_at_once(listener: Listener, told: list[Heard]) -> None:
    listener.take(rejection(0))
    assert sequences(told) == [0]


def test_an_event_is_answered_when_a_snapshot_names_it_and_its_outcomes_are_told(listener: Listener) -> None:
    listener.take(snapshot(2, "e-1"))
    assert not listener.answered("s-1", "e-1", 1, PLACE)
    listener.take(outcome(2))
    listener.take(outcome(1))
    assert listener.answered("s-1", "e-1", 1, PLACE)
    assert not listener.answered("s-1", "e-1", 2, PLACE)
    assert not listener.answered("s-1", "e-2", 1, PLACE)


def test_an_event_is_answered_when_it_is_a_dead_letter(listener: Listener, told: list[Heard]) -> None:
    topic, partition, offset = PLACE
    place = {"dlq_topic": topic, "dlq_partition": str(partition), "dlq_offset": str(offset)}
    why = {"dlq_reason": "malformed", "dlq_error": "no"}
    headers = [(name, value.encode()) for name, value in {**place, **why}.items()]
    for _ in range(2):
        listener.take(SimpleNamespace(headers=headers, key=b"s-1", value=b"{"))
    assert listener.answered("s-1", "e-1", 1, PLACE)
    assert told == [Heard(DEAD_LETTER, "s-1", text="malformed: no")]


async def test_waiting_ends_with_what_is_waited_for_or_with_its_time(listener: Listener) -> None:
    listener.take(snapshot(0, "e-1"))
    assert await listener.until(lambda: listener.answered("s-1", "e-1", 1, PLACE), 1)
    assert not await listener.until(lambda: listener.answered("s-1", "e-2", 1, PLACE), 0)
