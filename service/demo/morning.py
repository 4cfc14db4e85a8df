"""The events of a morning, in `morning.jsonl`: one JSON object a line, as any Kafka client can send it.

    {"topic": …, "key": …, "event": {a CloudEvent in structured mode}}

What lies before the morning are the lives of about thirty subscriptions; on the morning itself people cancel, move,
regret and err. All of it is in the past, so it can be played on any day to come.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

FILE = Path(__file__).with_name("morning.jsonl")
ZONE = ZoneInfo("Europe/Copenhagen")
BEGINS = datetime(2026, 11, 12, 6, tzinfo=ZONE)


@dataclass(frozen=True)
class Line:
    """One line: where it goes, and the event in it. The default names of topics are meant."""

    topic: str
    key: str
    event: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """What the event says."""
        data: dict[str, Any] = self.event["data"]
        return data

    @property
    def identity(self) -> tuple[str, str]:
        """What makes it the same event when it comes again."""
        return self.event["source"], self.event["id"]

    @property
    def time(self) -> datetime:
        """When it happened."""
        return datetime.fromisoformat(self.event["time"])

    @property
    def early(self) -> bool:
        """Whether it belongs to what was before the morning."""
        return self.time < BEGINS


@dataclass(frozen=True)
class Customer:
    """Who a subscription belongs to and what it is, as the events say."""

    name: str
    product: str
    currency: str


def read(text: Iterable[str]) -> Iterator[Line]:
    """The lines of a file, or of anything that gives lines."""
    return (Line(**json.loads(line)) for line in text if line.strip())


def morning() -> list[Line]:
    """The whole file, in its order."""
    return list(read(FILE.read_text("utf-8").splitlines()))


def customers(lines: Iterable[Line]) -> dict[str, Customer]:
    """The people in the lines by their subscription; a name is for people only, the service does not read it."""
    return {
        line.data["subscription_id"]: Customer(
            name=line.data.get("customer_name", line.data["customer_id"]),
            product=line.data["lines"][0]["description"],
            currency=line.data["currency"],
        )
        for line in lines
        if line.event["type"] == "subscription-activated"
    }
