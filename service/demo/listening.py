"""What the service publishes, as it comes off Kafka: each outcome once, in the order of its subscription.

Topics are read side by side, so two outcomes of one subscription can arrive in any order; their sequence numbers put
them right. A snapshot names every event it reflects and the number of the last outcome, and so says when an event has
been answered in full.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from service import clients
from service.messages.outcomes import OUTCOMES, Outcome, SubscriptionEnded, SubscriptionTimeline
from service.settings import Settings, Topics

DEAD_LETTER = "dead letter"
CLOCK = "clock"
Place: TypeAlias = tuple[str, int, int]
"""Topic, partition and offset of a record."""
Raw: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"


@dataclass(frozen=True, slots=True)
class Heard:
    """An outcome, or a dead letter: then `body` is missing and `text` says why, and `cause` is the key it came with."""

    kind: str
    cause: str
    body: Outcome | None = None
    text: str = ""


class Listener:
    """All that has been heard so far; `tell` is called with each outcome when it is its turn."""

    def __init__(self) -> None:
        self.timelines: dict[str, SubscriptionTimeline] = {}
        self.tell: Callable[[Heard], None] = lambda _: None
        self._dead: set[Place] = set()
        self._ended: set[str] = set()
        self._ids: set[bytes] = set()
        self._turn: dict[str, int] = {}
        self._early: dict[tuple[str, int], Heard] = {}
        self._news = asyncio.Event()

    def take(self, record: Raw) -> None:
        """Takes a record in."""
        headers = {name: value or b"" for name, value in record.headers}
        if "dlq_reason" in headers:
            self._bury({name: value.decode(errors="replace") for name, value in headers.items()}, record.key or b"")
        elif headers["ce_id"] not in self._ids:
            self._ids.add(headers["ce_id"])
            self._sort(headers["ce_type"].decode(), headers["ce_causationid"].decode(), record.value or b"")
        self._news.set()

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until the condition holds; False when it does not within so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        return condition()

    def answered(self, subscription: str, event_id: str, times: int, place: Place) -> bool:
        """Whether an event has had its effect, here the so many-th of its id, and all outcomes of it have been told."""
        if place in self._dead:
            return True
        snapshot = self.timelines.get(subscription)
        if snapshot is None or self._turn.get(subscription, 0) < snapshot.sequence:
            return False
        return sum(entry.event_id == event_id for entry in snapshot.entries) >= times

    def passed(self) -> tuple[int, int]:
        """How many ends have passed, and how many of those have been declared final."""
        passed = [subscription for subscription, snapshot in self.timelines.items() if snapshot.status == "ended"]
        return len(passed), sum(subscription in self._ended for subscription in passed)

    def _bury(self, headers: dict[str, str], key: bytes) -> None:
        place = (headers["dlq_topic"], int(headers["dlq_partition"]), int(headers["dlq_offset"]))
        if place not in self._dead:
            self._dead.add(place)
            reason = f"{headers['dlq_reason']}: {headers['dlq_error']}"
            self.tell(Heard(DEAD_LETTER, key.decode(errors="replace"), text=reason))

    def _sort(self, kind: str, cause: str, value: bytes) -> None:
        body = OUTCOMES[kind][1].model_validate_json(value)
        subscription = body.subscription_id
        if isinstance(body, SubscriptionTimeline):
            self.timelines[subscription] = body
        elif body.sequence == 0:  # about a subscription that nobody knows, so nothing counts it
            self.tell(Heard(kind, cause, body))
        else:
            self._early[subscription, body.sequence] = Heard(kind, cause, body)
            self._release(subscription)

    def _release(self, subscription: str) -> None:
        """Tells the outcomes whose turn it is."""
        turn = self._turn.get(subscription, 0) + 1
        while heard := self._early.pop((subscription, turn), None):
            self._turn[subscription] = turn
            turn += 1
            if isinstance(heard.body, SubscriptionEnded):
                self._ended.add(subscription)
            self.tell(heard)


@asynccontextmanager
async def listening(settings: Settings, topics: Topics) -> AsyncIterator[Listener]:
    """Gives a listener that has heard what the topics held, and hears what comes."""
    heard = Listener()
    consumer = AIOKafkaConsumer(
        topics.period_shortened,
        topics.renewal_cancelled,
        topics.credit_adjustment,
        topics.cancellation_status,
        topics.subscription_timeline,
        topics.cancellation_dead_letter,
        **clients.kafka(settings),
        auto_offset_reset="earliest",
    )
    try:
        await consumer.start()
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    heard.take(record)
        following = asyncio.create_task(_follow(consumer, heard))
        try:
            yield heard
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
    finally:
        await consumer.stop()


async def _follow(consumer: AIOKafkaConsumer, heard: Listener) -> None:
    async for record in consumer:
        heard.take(record)
