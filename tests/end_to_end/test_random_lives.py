"""Many random lives at once, through Kafka, against books kept independently of the service."""

import asyncio
import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from tests.books import TIMELINE, check
from tests.lives import LIFECYCLE, REQUESTED, Event, Life, life

OUTCOMES = (
    "period-shortened",
    "renewal-cancelled",
    "credit-adjustment",
    "cancellation-status",
    "subscription-timeline",
)
LAST_CHARGE = "C-last"
STANDSTILL_SECONDS = 120
Data = dict[str, Any]


class Running(Protocol):
    """The service in a process of its own."""

    @property
    def kafka(self) -> str: ...

    @property
    def topics(self) -> Mapping[str, str]:
        """From each topic's default name to the name it has here."""


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("SEED", "0"))


async def test_2000_random_lives_balance_to_the_cent_against_an_independent_calculation(
    running: Running, seed: int
) -> None:
    count = int(os.environ.get("LIVES", "2000"))
    lives = {one.subscription_id: one for one in (_finished(life(seed + n)) for n in range(count))}
    await _send(running, list(lives.values()), random.Random(seed))  # noqa: S311 - an order to be repeated
    discrepancies = await _discrepancies(running, lives)
    first = "\n".join(discrepancies[:40])
    assert not discrepancies, f"{len(discrepancies)} discrepancies with SEED={seed} LIVES={count}:\n{first}"


def _finished(told: Life) -> Life:
    """The life with one last event on each topic, which tell that all before them has been taken in.

    The charge shows in the timeline, the command is always refused: neither changes anything else.
    """
    events = [*told.lifecycle, *told.commands]
    at = (max(datetime.fromisoformat(event.time) for event in events) + timedelta(days=10)).isoformat()
    named = {key: value for key, value in told.lifecycle[0].data.items() if key in {"tenant_id", "subscription_id"}}
    fee = {"charge_id": LAST_CHARGE, "kind": "one-off", "amount": "1"}
    issued = {**named, "invoice_id": "INV-last", "charges": [fee]}
    moved = {**named, "cancellation_id": "CAN-nobody-knows", "end": {"mode": "end-of-period"}}
    name, first = f"{told.subscription_id}-last", told.lifecycle[0]
    return replace(
        told,
        lifecycle=[*told.lifecycle, Event(LIFECYCLE, "invoice-issued", name, first.source, at, issued)],
        commands=[*told.commands, Event(REQUESTED, "cancellation-moved", name, "/self-service", at, moved)],
    )


# In: each topic in order, the two of them interleaved at random.


async def _send(running: Running, lives: list[Life], chance: random.Random) -> None:
    streams = [
        (told.subscription_id, iter(_with_repeats(events, chance)))
        for told in lives
        for events in (told.lifecycle, told.commands)
    ]
    producer = AIOKafkaProducer(bootstrap_servers=running.kafka, enable_idempotence=True, linger_ms=5)
    await producer.start()
    sent = []
    try:
        for key, event in _interleaved(streams, chance):
            headers, value = _structured(event) if chance.random() < 0.1 else _binary(event)
            topic = running.topics[event.topic]
            sent.append(await producer.send(topic, value, key=key.encode(), headers=headers))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def _with_repeats(events: list[Event], chance: random.Random) -> list[Event]:
    """One event in ten comes a second time, right after the first or at any later point before the last."""
    sent = list(events)
    for event in events[:-1]:
        if chance.random() < 0.1:
            first = sent.index(event) + 1
            sent.insert(first if chance.random() < 0.5 else chance.randint(first, len(sent) - 1), event)
    return sent


def _interleaved(streams: list[tuple[str, Iterator[Event]]], chance: random.Random) -> Iterator[tuple[str, Event]]:
    """Whose turn it is, is drawn anew for each event."""
    left = list(streams)
    while left:
        place = chance.randrange(len(left))
        key, events = left[place]
        event = next(events, None)
        if event is None:
            left[place] = left[-1]
            left.pop()
        else:
            yield key, event


def _binary(event: Event) -> tuple[list[tuple[str, bytes]], bytes]:
    attributes = {"specversion": "1.0", **_attributes(event)}
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    return [*headers, ("content-type", b"application/json")], json.dumps(event.data).encode()


def _structured(event: Event) -> tuple[list[tuple[str, bytes]], bytes]:
    envelope = {"specversion": "1.0", **_attributes(event), "datacontenttype": "application/json", "data": event.data}
    return [("content-type", b"application/cloudevents+json")], json.dumps(envelope).encode()


def _attributes(event: Event) -> dict[str, str]:
    subject = event.data["subscription_id"]
    return {"id": event.id, "source": event.source, "type": event.type, "time": event.time, "subject": subject}


# Out: read until every life's books are balanced, or nothing more comes.


async def _discrepancies(running: Running, lives: dict[str, Life]) -> list[str]:
    defaults = {running.topics[name]: name for name in OUTCOMES}
    read: dict[str, list[Data]] = defaultdict(list)
    found: dict[str, list[str]] = {}
    consumer = AIOKafkaConsumer(*defaults, bootstrap_servers=running.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        heard = time.monotonic()
        while len(found) < len(lives) or any(found.values()):
            batches = await consumer.getmany(timeout_ms=1000)
            news = [_outcome(record, defaults) for records in batches.values() for record in records]
            if news:
                heard = time.monotonic()
            elif time.monotonic() - heard > STANDSTILL_SECONDS:
                break
            for outcome in news:
                read[outcome["data"]["subscription_id"]].append(outcome)
            touched = {outcome["data"]["subscription_id"] for outcome in news} & lives.keys()
            for name in touched:
                found.pop(name, None)
                if _is_told(read[name]):
                    found[name] = check(lives[name], read[name])
    finally:
        await consumer.stop()
    unfinished = [c for name in lives.keys() - found.keys() for c in check(lives[name], read[name])]
    return [complaint for complaints in found.values() for complaint in complaints] + unfinished


def _outcome(record: "ConsumerRecord[bytes, bytes]", defaults: dict[str, str]) -> Data:
    headers = {name: value.decode() for name, value in record.headers}
    data = json.loads(record.value)
    key = f"{data['tenant_id']}:{data['subscription_id']}".encode()
    assert record.key == key, f"{headers['ce_type']} has the key {record.key!r}, expected {key!r}"
    return {"topic": defaults[record.topic], "type": headers["ce_type"], "id": headers["ce_id"], "data": data}


def _is_told(outcomes: list[Data]) -> bool:
    """Whether the last charge is in the timeline and no outcome before it is still on its way: worth a check."""
    snapshots = [outcome["data"] for outcome in outcomes if outcome["type"] == TIMELINE]
    if not snapshots or all(charge["charge_id"] != LAST_CHARGE for charge in snapshots[-1]["charges"]):
        return False
    numbers = {outcome["data"]["sequence"] for outcome in outcomes if outcome["type"] != TIMELINE}
    return bool(snapshots[-1]["sequence"] == len(numbers))
