"""The event that would ask for an end, as a producer would send it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from service.domain.facts import EndWish
from service.settings import Topics
from service.store.subscriptions import Key

_SOURCE, _TYPE = "/support", "cancellation-requested"


@dataclass(frozen=True, slots=True)
class Asking:
    """A CloudEvent in binary mode: `headers` and `data`; and the same in structured mode, all in one value."""

    topic: str
    key: str
    headers: dict[str, str]
    data: dict[str, Any]

    @property
    def structured_headers(self) -> dict[str, str]:
        """The one header of structured mode."""
        return {"content-type": "application/cloudevents+json"}

    @property
    def structured(self) -> dict[str, Any]:
        """The value of structured mode."""
        attributes = {name.removeprefix("ce_"): text for name, text in self.headers.items() if name.startswith("ce_")}
        return {**attributes, "datacontenttype": self.headers["content-type"], "data": self.data}

    @property
    def record(self) -> str:
        """All of it as one JSON document, in structured mode, for a person to copy."""
        record = {
            "topic": self.topic,
            "key": self.key,
            "headers": self.structured_headers,
            "value": self.structured,
        }
        return json.dumps(record, indent=2, ensure_ascii=False)


def asking(topics: Topics, key: Key, wish: EndWish, now: datetime) -> Asking:
    """The event that asks for an end, at the time of the preview: decided then, it comes to what was previewed."""
    tenant, subscription = key
    end: dict[str, str] = {"mode": wish.mode}
    if wish.end_date is not None:
        end["date"] = wish.end_date.isoformat()
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid4()),
        "ce_source": _SOURCE,
        "ce_type": _TYPE,
        "ce_subject": subscription,
        "ce_time": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        "content-type": "application/json",
    }
    data = {"tenant_id": tenant, "subscription_id": subscription, "end": end}
    return Asking(topics.cancellation_requested, subscription, headers, data)
