"""A plain Kafka client for tests, as another team would write one; it shares no code with the service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

OUTCOME_TOPICS = (
    *("period-shortened", "renewal-cancelled", "credit-adjustment"),
    *("cancellation-status", "subscription-timeline", "cancellation-dead-letter"),
)


def monthly(subscription_id: str, **changes: object) -> dict[str, Any]:
    """The data of a `subscription-activated`: 30.00 EUR a month in advance from 1 November 2026."""
    return {
        "subscription_id": subscription_id,
        "customer_id": "customer",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "start_date": "2026-11-01",
        "interval": "P1M",
        "billing": "in-advance",
        "lines": [{"line_id": "L1", "amount": "30.00"}],
        **changes,
    }


@dataclass(frozen=True)
class Outcome:
    """One record off an outcome topic; `topic` is the default name."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]

    @property
    def type(self) -> str | None:
        """The event's type; a dead letter has that of the record it was."""
        return self.header("ce_type")

    @property
    def data(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.value or b"{}")
        return loaded

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name and value is not None]
        return found[-1].decode(errors="replace") if found else None


@dataclass
class Client:
    """Sends events and collects what comes back."""

    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    names: Mapping[str, str]
    received: list[Outcome] = field(default_factory=list)

    async def raw(
        self,
        topic: str,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes | None]] = (),
        key: bytes | None = None,
        partition: int | None = None,
    ) -> None:
        """Sends a record as it is."""
        await self.producer.send_and_wait(
            self.names[topic], value=value, key=key, headers=list(headers), partition=partition
        )

    async def send(
        self, topic: str, event_type: str, event_id: str, data: Mapping[str, Any], **attributes: str
    ) -> None:
        """Sends an event in binary mode."""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": event_id,
            "ce_source": "tests",
            "ce_type": event_type,
            **{f"ce_{name}": value for name, value in attributes.items()},
            "content-type": "application/json",
        }
        encoded = [(name, value.encode()) for name, value in headers.items()]
        await self.raw(topic, json.dumps(data).encode(), encoded, data["subscription_id"].encode())

    async def until(self, done: Callable[[list[Outcome]], bool], seconds: float = 60) -> list[Outcome]:
        """Reads on until what has been received is enough; fails with what there is when it never is."""
        defaults = {actual: default for default, actual in self.names.items()}
        try:
            async with asyncio.timeout(seconds):
                while not done(self.received):
                    for batch in (await self.consumer.getmany(timeout_ms=200)).values():
                        self.received += [Outcome(defaults[r.topic], r.key, r.value, list(r.headers)) for r in batch]
        except TimeoutError:
            seen = "\n".join(f"{outcome.topic} {outcome.type} {outcome.value!r}" for outcome in self.received)
            raise AssertionError(f"what was waited for did not come; received:\n{seen}") from None
        return self.received

    def of(self, subscription_id: str) -> list[Outcome]:
        """The numbered outcomes of a subscription in order of their numbers, repeats dropped, without snapshots."""
        unique = {
            outcome.header("ce_id"): outcome
            for outcome in self.received
            if outcome.topic not in {"subscription-timeline", "cancellation-dead-letter"}
            and outcome.data.get("subscription_id") == subscription_id
        }
        return sorted(unique.values(), key=lambda outcome: outcome.data["sequence"])

    def timeline(self, subscription_id: str) -> dict[str, Any]:
        """The last snapshot of a subscription."""
        return self._snapshots(subscription_id)[-1]

    def shown(self, subscription_id: str, sequence: int) -> bool:
        """Whether a snapshot has come that reflects the outcome of this number."""
        return any(snapshot["sequence"] == sequence for snapshot in self._snapshots(subscription_id))

    def _snapshots(self, subscription_id: str) -> list[dict[str, Any]]:
        snapshots = [outcome.data for outcome in self.received if outcome.topic == "subscription-timeline"]
        return [snapshot for snapshot in snapshots if snapshot.get("subscription_id") == subscription_id]

    @property
    def dead_letters(self) -> list[Outcome]:
        return [outcome for outcome in self.received if outcome.topic == "cancellation-dead-letter"]


@asynccontextmanager
async def client(kafka: str, names: Mapping[str, str]) -> AsyncIterator[Client]:
    """A client that reads every outcome topic from its beginning."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=8_000_000, linger_ms=2)
    consumer = AIOKafkaConsumer(
        *(names[topic] for topic in OUTCOME_TOPICS), bootstrap_servers=kafka, auto_offset_reset="earliest"
    )
    await producer.start()
    await consumer.start()
    try:
        yield Client(producer, consumer, names)
    finally:
        await consumer.stop()
        await producer.stop()
