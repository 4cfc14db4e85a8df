"""Events of random lives, sent at a pace through whatever happens to the brokers.

Order is what the books depend on, so it is kept the plain way: a wave holds at most one event of each stream, and the
next wave goes out when all of this one is acknowledged. A wave that fails is sent again whole, by a new producer; an
event may then be there twice, which is the service's to notice.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from contextlib import suppress

from aiokafka import AIOKafkaProducer

from tests.chaos.servers import now
from tests.lives import Event, Life, life

_WINDOW = 400  # lives that are told at one time
_REPEATED = 0.03
_STRUCTURED = 0.1


class Sender:
    """Tells the lives of a seed; `sent` is how many events have been acknowledged."""

    def __init__(self, seed: int, events: int, rate: float) -> None:
        self.chance = random.Random(seed)  # noqa: S311  a run is to be repeated
        self.lives: dict[str, Life] = {}
        self.streams: list[tuple[str, Iterator[Event]]] = []
        self.total = self.sent = self.again = 0
        self.rate = rate
        number = seed * 1_000_000
        while self.total < events:
            told = life(number)
            number += 1
            self.lives[told.subscription_id] = told
            for told_on in (told.lifecycle, told.commands):
                with_repeats = _with_repeats(told_on, self.chance)
                self.total += len(with_repeats)
                self.streams.append((told.subscription_id, iter(with_repeats)))

    async def run(self, bootstrap: str, topics: Mapping[str, str]) -> None:
        """Sends everything, at the pace or as fast as it can when behind."""
        began = now()
        producer: AIOKafkaProducer | None = None
        try:
            for wave in self._waves(began):
                while True:
                    try:
                        if producer is None:
                            producer = await _producer(bootstrap)
                        await _send(producer, wave, topics)
                        break
                    except Exception:  # noqa: BLE001  whatever it is, the wave goes out again
                        self.again += len(wave)
                        if producer is not None:
                            await _drop(producer)
                        producer = None
                        await asyncio.sleep(0.3)
                self.sent += len(wave)
                await asyncio.sleep(max(0.0, self.sent / self.rate - (now() - began)))
        finally:
            if producer is not None:
                await _drop(producer)

    def _waves(self, began: float) -> Iterator[list[tuple[str, bool, Event]]]:
        """Events of different streams; more of them the further behind, and now and then a burst."""
        left = list(reversed(self.streams))
        active: list[tuple[str, Iterator[Event]]] = []
        while left or active:
            while left and len(active) < 2 * _WINDOW:
                active.append(left.pop())
            behind = self.rate * (now() - began) - self.sent
            size = max(int(behind), int(self.rate * self.chance.choice((0.05, 0.2, 0.2, 1.5))), 5)
            wave, kept = [], []
            self.chance.shuffle(active)
            for key, events in active[:size]:
                event = next(events, None)
                if event is not None:
                    wave.append((key, self.chance.random() < _STRUCTURED, event))
                    kept.append((key, events))
            active = kept + active[size:]
            if wave:
                yield wave


def _with_repeats(events: list[Event], chance: random.Random) -> list[Event]:
    sent = list(events)
    for event in events:
        if chance.random() < _REPEATED:
            sent.insert(chance.randint(sent.index(event) + 1, len(sent)), event)
    return sent


async def _producer(bootstrap: str) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=3, request_timeout_ms=10_000
    )
    try:
        await producer.start()
    except BaseException:
        await _drop(producer)
        raise
    return producer


async def _drop(producer: AIOKafkaProducer) -> None:
    with suppress(Exception):
        async with asyncio.timeout(5):
            await producer.stop()


async def _send(producer: AIOKafkaProducer, wave: list[tuple[str, bool, Event]], topics: Mapping[str, str]) -> None:
    futures = []
    async with asyncio.timeout(30):
        for key, structured, event in wave:
            headers, value = _structured(event) if structured else _binary(event)
            futures.append(await producer.send(topics[event.topic], value, key=key.encode(), headers=headers))
        for failed in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(failed, BaseException):
                raise failed


def _attributes(event: Event) -> dict[str, str]:
    about = {"id": event.id, "source": event.source, "type": event.type, "time": event.time}
    return {"specversion": "1.0", **about, "subject": event.data["subscription_id"]}


def _binary(event: Event) -> tuple[list[tuple[str, bytes]], bytes]:
    headers = [(f"ce_{name}", value.encode()) for name, value in _attributes(event).items()]
    return [*headers, ("content-type", b"application/json")], json.dumps(event.data).encode()


def _structured(event: Event) -> tuple[list[tuple[str, bytes]], bytes]:
    envelope = {**_attributes(event), "datacontenttype": "application/json", "data": event.data}
    return [("content-type", b"application/cloudevents+json")], json.dumps(envelope).encode()
